// What the appliance keeps in the flash log, by key. Numbers are never reused.

export const enum FlashKey {
  /** nts/keyring.ts: the keys that seal cookies. */
  Keyring = 1,
  /** tls/identity.ts: the certificate authority and the server's certificate, with their keys. */
  Identity = 2,
  /** The same once more: a cell that fails must not cost every client its trust. */
  IdentityCopy = 3,
  /** clock/oscillator_memory.ts: what was learnt of the crystal. */
  Oscillator = 4,
  /** nts/association_keeper.ts: keys and unsent cookies of upstream servers, one key a server, five from here on. */
  Upstream = 5,
  /** clock/last_good.ts: the last known good time, and what is known of the RTC. */
  LastGood = 10,
}
