// Memory that is handed to the host: the bindings free it after the call.
#ifndef MEMORY_H
#define MEMORY_H
#include <stdlib.h>

// A component without memory cannot say so: it ends here, and the host names the limit.
static inline void *plugin_allocate(size_t bytes) {
  void *memory = malloc(bytes);
  if (memory == NULL) abort();
  return memory;
}
#endif
