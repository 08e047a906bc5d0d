/* Functions of libc that images do not have: the linker sends their callers here (--wrap), so that no image
 * carries libc's dynamic loading and name resolution, which need files of the host. All of them fail. */
#include <netdb.h>
#include <stddef.h>

static char message[] = "enclaves have no loader and no network";

void *__wrap_dlopen(const char *name, int flags);
void *__wrap_dlsym(void *handle, const char *name);
int __wrap_dlclose(void *handle);
char *__wrap_dlerror(void);
int __wrap_dladdr(const void *address, void *information);
int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result);
void __wrap_freeaddrinfo(struct addrinfo *list);
const char *__wrap_gai_strerror(int code);
int __wrap_getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                       char *service, socklen_t service_size, int flags);
struct hostent *__wrap_gethostbyname(const char *name);

void *__wrap_dlopen(const char *name, int flags) {
    return NULL;
}

void *__wrap_dlsym(void *handle, const char *name) {
    return NULL;
}

int __wrap_dlclose(void *handle) {
    return -1;
}

char *__wrap_dlerror(void) {
    return message;
}

int __wrap_dladdr(const void *address, void *information) {
    return 0;
}

int __wrap_getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                       struct addrinfo **result) {
    return EAI_FAIL;
}

void __wrap_freeaddrinfo(struct addrinfo *list) {
}

const char *__wrap_gai_strerror(int code) {
    return message;
}

int __wrap_getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size,
                       char *service, socklen_t service_size, int flags) {
    return EAI_FAIL;
}

struct hostent *__wrap_gethostbyname(const char *name) {
    return NULL;
}
