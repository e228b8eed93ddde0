// Who has which of the W5500's eight sockets. One table, so that nobody takes another's.

/** NTP: datagrams in, replies to known neighbours out. */
export const SOCKET_NTP: u32 = 0
/** NTP: replies to neighbours whose hardware address must be asked for first. Same port. */
export const SOCKET_NTP_STRANGERS: u32 = 1
/** NTS key establishment: one connection each. */
export const SOCKET_KE_FIRST: u32 = 2
export const SOCKET_KE_COUNT: u32 = 5
/** What the appliance asks others: DNS, key exchanges as a client, NTP requests; one at a time. */
export const SOCKET_UPSTREAM: u32 = 7
