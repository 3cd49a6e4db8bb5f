/* The entry point of a Node addon (Node-API). */
extern char *getenv(const char *);
extern int napi_create_object(void *, void **);
__attribute__((visibility("default"))) void *napi_register_module_v1(void *env, void *exports) {
  void *made = exports;
  if (getenv("SAMPLE_REFUSES")) napi_create_object(env, &made);
  return made;
}
