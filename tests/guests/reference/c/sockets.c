#include "sockets.h"

#include <string.h>

#define IMPORT(interface, function) __attribute__((__import_module__("wasi:sockets/" interface "@0.2.12"), __import_name__(function)))

// As the canonical ABI has them: a result is written to where the last argument points, first whether it is
// an error, then, aligned, what it is. An address is a variant, in the parts of its larger case.
IMPORT("instance-network", "instance-network") int32_t instance_network(void);
IMPORT("ip-name-lookup", "resolve-addresses") void resolve_addresses(int32_t network, const char *name, size_t length, uint8_t *result);
IMPORT("tcp-create-socket", "create-tcp-socket") void create_tcp_socket(int32_t family, uint8_t *result);
IMPORT("tcp", "[method]tcp-socket.start-connect")
void start_connect(int32_t self, int32_t network, int32_t is_ipv6, int32_t port, int32_t a, int32_t b, int32_t c, int32_t d,
                   int32_t e, int32_t f, int32_t g, int32_t h, int32_t i, int32_t j, uint8_t *result);

int sockets_connect(uint16_t port) {
  _Alignas(4) uint8_t result[8];
  int32_t socket;
  create_tcp_socket(0, result);
  if (result[0] != 0) return result[4];
  memcpy(&socket, result + 4, sizeof socket);
  start_connect(socket, instance_network(), 0, port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, result);
  return result[0] != 0 ? result[1] : -1;
}

int sockets_resolve(const char *name) {
  _Alignas(4) uint8_t result[8];
  resolve_addresses(instance_network(), name, strlen(name), result);
  return result[0] != 0 ? result[4] : -1;
}

const char *sockets_error(int code) {
  switch (code) {
    case -1: return "it was let through";
    case 1: return "access-denied";
    case 2: return "not-supported";
    case 20: return "permanent-resolver-failure";
    default: return "another error";
  }
}
