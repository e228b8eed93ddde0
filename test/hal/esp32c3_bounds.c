// Loads and stores of a small module at the edges of its memory (esp32c3_bounds.wat), as the image's C does them: prints for
// each address given which accesses trap.

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "noonmark.h"

static jmp_buf trapped;
static Z_noonmark_instance_t instance;

bool wasm_rt_is_initialized(void) { return true; }
uint32_t wasm_rt_register_func_type(uint32_t params, uint32_t results, ...) { return params << 8 | results; }
void wasm_rt_free_memory(wasm_rt_memory_t *memory) { (void)memory; }
void wasm_rt_allocate_memory(wasm_rt_memory_t *memory, uint32_t pages, uint32_t max_pages) {
  memory->pages = pages, memory->max_pages = max_pages, memory->size = WASM_RT_MEMORY_SIZE;
}
void wasm_rt_trap(wasm_rt_trap_t trap) { longjmp(trapped, (int)trap); }

static char attempt(u32 (*access)(Z_noonmark_instance_t *, u32), u32 address) {
  if (setjmp(trapped)) return 't';
  access(&instance, address);
  return '.';
}

int main(int argc, char **argv) {
  Z_noonmark_init_module();
  Z_noonmark_instantiate(&instance);
  for (int i = 1; i < argc; i++) {
    const u32 address = (u32)strtoul(argv[i], NULL, 0);
    printf("%u ", address);
    putchar(attempt(Z_noonmarkZ_load8, address));
    putchar(attempt(Z_noonmarkZ_load32, address));
    putchar(attempt(Z_noonmarkZ_load32far, address));
    putchar(attempt(Z_noonmarkZ_store64, address));
    putchar(attempt(Z_noonmarkZ_store64odd, address));
    putchar(attempt(Z_noonmarkZ_fill, address));
    putchar('\n');
  }
  return 0;
}
