// The AES accelerator in its typical mode: one block, no DMA. TRM chapter 19.

#include "machine.h"
#include "registers.h"

void aes_start(void) { AES_DMA_ENABLE = 0; }

int32_t aes_load(const uint8_t *key, uint32_t length) {
  if (length != 16 && length != 32) return HAL_FAULT;
  AES_MODE = length == 16 ? 0 : 2; // encryption with a key of 128 or 256 bits
  const uint32_t *words = (const uint32_t *)(const void *)key;
  for (uint32_t i = 0; i < length / 4; i++) AES_KEY(i) = words[i];
  return 0;
}

IN_RAM void aes_encrypt(const uint8_t *input, uint8_t *output) {
  const uint32_t *from = (const uint32_t *)(const void *)input;
  uint32_t *to = (uint32_t *)(void *)output;
  for (uint32_t i = 0; i < 4; i++) AES_TEXT_IN(i) = from[i];
  AES_TRIGGER = 1;
  while (AES_STATE != 0) {
  }
  for (uint32_t i = 0; i < 4; i++) to[i] = AES_TEXT_OUT(i);
}
