// The first flight of Node 20.20's TLS 1.3 (OpenSSL 3.0) to "localhost" with ALPN "ntske/1", recorded once: a seed for mutations,
// the same in every run.

const BASE64 = [
  'FgMBAPwBAAD4AwPi57KmIq6XTgqDVdC6pK5S0SH7UJ8KhwtnO4jx+s9ZayApwHGNqDg9ZN5YL8PeCQcQxhzjLCNPg3B4f6VN0LXLTQAIEwITAxMB',
  'AP8BAACnAAAADgAMAAAJbG9jYWxob3N0AAsABAMAAQIACgAWABQAHQAXAB4AGQAYAQABAQECAQMBBAAjAAAAEAAKAAgHbnRza2UvMQAWAAAAFwAA',
  'AA0AHgAcBAMFAwYDCAcICAgJCAoICwgECAUIBgQBBQEGAQArAAMCAwQALQACAQEAMwAmACQAHQAgFz3sYy9+wvdxmQddOcOrARMhKdgsuLx3jJxw',
  '5f/p03I=',
]

export const CLIENT_HELLO: Uint8Array = Buffer.from(BASE64.join(''), 'base64')
