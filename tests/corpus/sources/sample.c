/* A module that any CPython with a GIL can import (64 bit), written without Python.h so that it can
   be compiled for every platform. The structures are those of Include/moduleobject.h and
   Include/object.h. WITH_LIBC calls into the C library, WITH_SAMPLE into libsample. */

typedef struct {
  long long refcount;
  void *type;
  void *init;
  long long index;
  void *copy;
  const char *name;
  const char *doc;
  long long size;
  void *methods, *slots, *traverse, *clear, *free;
} module_definition;

extern void *PyModule_Create2(module_definition *, int);

#ifdef WITH_LIBC
extern char *getenv(const char *);
#endif
#ifdef WITH_SAMPLE
extern int sample_new(void);
#endif
#ifdef WITH_FUTURE
extern int future(void);
#endif

static module_definition definition = {1, 0, 0, 0, 0, "_sample", 0, -1, 0, 0, 0, 0, 0};

__attribute__((visibility("default"))) void *PyInit__sample(void) {
#ifdef WITH_LIBC
  if (getenv("SAMPLE_REFUSES")) return 0;
#endif
#ifdef WITH_SAMPLE
  if (sample_new() == 0) return 0;
#endif
#ifdef WITH_FUTURE
  if (future() == 0) return 0;
#endif
  return PyModule_Create2(&definition, 1013);
}
