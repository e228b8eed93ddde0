// What the C that wasm2c generates asks of its embedder, for one module with one fixed linear memory.
//
// The memory lies inside the instance and its size is a constant (WASM_RT_MEMORY_SIZE, from the module itself), so a load
// is a bounds check against a constant and one instruction: no pointer and no size to fetch. Loads and stores assume natural
// alignment, which the firmware keeps (a machine-mode misaligned access traps on the ESP32-C3 and is recorded).
// No heap, no signals, no growing.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef WASM_RT_MEMORY_SIZE
#error "WASM_RT_MEMORY_SIZE: the bytes of memory that the module uses, given by the build"
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 0
#define WASM_RT_USE_STACK_DEPTH_COUNT 0
/** One of the two is a variable of the access's type, the other points into the memory: a plain load or store. */
#define WASM_RT_AS(type, pointer) (*(type __attribute__((may_alias)) *)(void *)(pointer))
#define WASM_RT_COPY(to, from, size)                                                                \
  (*__builtin_choose_expr(sizeof *(to) == (size), (to), &WASM_RT_AS(__typeof__(*(from)), to)) =     \
       *__builtin_choose_expr(sizeof *(to) == (size), &WASM_RT_AS(__typeof__(*(to)), from), (from)))
#ifdef WASM_RT_CHECK_ALIGNMENT // on the host, where a misaligned access would go unnoticed
#define wasm_rt_memcpy(to, from, size)                                        \
  (((uintptr_t)(to) | (uintptr_t)(from)) % (size) != 0 ? wasm_rt_trap(WASM_RT_TRAP_MISALIGNED) \
                                                       : (void)WASM_RT_COPY(to, from, size))
#else
#define wasm_rt_memcpy WASM_RT_COPY
#endif

#define INLINED inline __attribute__((always_inline))
#define APART __attribute__((noinline))
/** The build marks with this what hot.txt names: code that runs from RAM. */
#ifdef __riscv
#define HOT(name) __attribute__((section(".iram." #name)))
#else
#define HOT(name)
#endif

typedef enum {
  WASM_RT_TRAP_NONE, WASM_RT_TRAP_OOB, WASM_RT_TRAP_INT_OVERFLOW, WASM_RT_TRAP_DIV_BY_ZERO, WASM_RT_TRAP_INVALID_CONVERSION,
  WASM_RT_TRAP_UNREACHABLE, WASM_RT_TRAP_CALL_INDIRECT, WASM_RT_TRAP_UNCAUGHT_EXCEPTION, WASM_RT_TRAP_EXHAUSTION,
  WASM_RT_TRAP_MISALIGNED,
} wasm_rt_trap_t;

typedef enum { WASM_RT_I32, WASM_RT_I64, WASM_RT_F32, WASM_RT_F64, WASM_RT_FUNCREF, WASM_RT_EXTERNREF } wasm_rt_type_t;

typedef struct {
  uint32_t pages, max_pages, size;
  uint8_t data[WASM_RT_MEMORY_SIZE] __attribute__((aligned(16)));
} wasm_rt_memory_t;

// Tables of functions, for call_indirect.
typedef void (*wasm_rt_function_ptr_t)(void);
typedef struct { uint32_t func_type; wasm_rt_function_ptr_t func; void *module_instance; } wasm_rt_funcref_t;
typedef void *wasm_rt_externref_t;
typedef struct { wasm_rt_funcref_t *data; uint32_t max_size, size; } wasm_rt_funcref_table_t;
typedef struct { wasm_rt_externref_t *data; uint32_t max_size, size; } wasm_rt_externref_table_t;
static const wasm_rt_funcref_t wasm_rt_funcref_null_value = {0, NULL, NULL};
static const wasm_rt_externref_t wasm_rt_externref_null_value = NULL;

bool wasm_rt_is_initialized(void);
__attribute__((noreturn, cold)) void wasm_rt_trap(wasm_rt_trap_t trap);
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...);
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t max_pages);
void wasm_rt_free_memory(wasm_rt_memory_t *memory);
void wasm_rt_allocate_funcref_table(wasm_rt_funcref_table_t *table, uint32_t size, uint32_t max_size);
void wasm_rt_free_funcref_table(wasm_rt_funcref_table_t *table);
