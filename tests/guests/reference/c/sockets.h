// Sockets of WASI 0.2 from C, whose library for WASI 0.1 has none: for the attempts to get out.
#ifndef SOCKETS_H
#define SOCKETS_H

#include <stdint.h>

// Both return -1 if they got out, else the error code of wasi:sockets.
int sockets_connect(uint16_t port);
int sockets_resolve(const char *name);

// The name of an error code.
const char *sockets_error(int code);

#endif
