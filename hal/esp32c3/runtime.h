// The compiled firmware as seen by the machine.

#pragma once

#include "noonmark.h"

extern Z_noonmark_instance_t noonmark;

/** Puts globals and linear memory into their initial state. */
void runtime_start(void);
void runtime_boot(void);
/** Returns the tick at which the firmware wants to run again. */
uint64_t runtime_poll(void);

/** `length` bytes of linear memory at `address`; traps when they are not all inside. */
static inline uint8_t *runtime_span(uint32_t address, uint32_t length) {
  if (length > WASM_RT_MEMORY_SIZE || address > WASM_RT_MEMORY_SIZE - length) wasm_rt_trap(WASM_RT_TRAP_OOB);
  return noonmark.w2c_memory.data + address;
}
