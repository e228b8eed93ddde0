// The few functions behind wasm-rt.h, and the module's one instance.

#include "runtime.h"

#include <stdarg.h>

#include "machine.h"

/** Module, globals and linear memory: all of the firmware's state. */
Z_noonmark_instance_t noonmark;

void runtime_start(void) {
  Z_noonmark_init_module();
  Z_noonmark_instantiate(&noonmark, NULL);
}

void runtime_boot(void) { Z_noonmarkZ_boot(&noonmark); }
uint64_t runtime_poll(void) { return Z_noonmarkZ_poll(&noonmark); }

bool wasm_rt_is_initialized(void) { return true; }

void wasm_rt_trap(wasm_rt_trap_t trap) {
  const uintptr_t pc = (uintptr_t)__builtin_return_address(0);
  crash_stop(CRASH_WASM, trap, (uint32_t)pc, 0, (uint32_t)(uintptr_t)__builtin_frame_address(0));
}

/** A signature as a number: counts, then two bits for each value. Two signatures never have the same. */
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) {
  if (params + results > 12) wasm_rt_trap(WASM_RT_TRAP_CALL_INDIRECT);
  uint32_t type = params << 4 | results;
  va_list list;
  va_start(list, results);
  for (uint32_t i = 0; i < params + results; i++) type = type << 2 | (va_arg(list, wasm_rt_type_t) & 3);
  va_end(list);
  return type;
}

/** The memory is static and zero. Of the module's pages only the bytes that it uses are there: `memory_end` of the module. */
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t max_pages) {
  if (pages * 65536 < WASM_RT_MEMORY_SIZE) wasm_rt_trap(WASM_RT_TRAP_OOB);
  memory->pages = pages;
  memory->max_pages = max_pages;
  memory->size = WASM_RT_MEMORY_SIZE;
}

/** One small table, filled by the module's element segment. */
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size, uint32_t max_size) {
  static wasm_rt_funcref_t functions[64];
  if (size > 64) wasm_rt_trap(WASM_RT_TRAP_OOB);
  *table = (wasm_rt_funcref_table_t){functions, max_size, size};
}

void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table) { (void)table; }
