/* Records (key, nonce) of each sealing behind the linker's --wrap. Must not change what the calls do. */
#include "support/nonces.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct use {
    uint8_t key[CELLA_SHA256_SIZE];
    uint8_t nonce[CELLA_AEAD_NONCE_SIZE];
};

/* Which key an object of libcrypto holds now. */
struct holder {
    const void *state;
    uint8_t key[CELLA_SHA256_SIZE];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct use *uses;
static size_t use_count, use_capacity;
static struct holder *holders;
static size_t holder_count, holder_capacity;

enum cella_status __real_cella_aead_init(struct cella_aead *aead, const uint8_t key[CELLA_AEAD_KEY_SIZE]);
enum cella_status __real_cella_aead_seal(struct cella_aead *aead, const uint8_t *nonce, struct cella_bytes ad,
                                         struct cella_bytes plain, uint8_t *out);
enum cella_status __real_cella_aead_seal_two(struct cella_aead *aead, const uint8_t *nonce,
                                             const struct cella_bytes ad[2], struct cella_bytes plain,
                                             uint8_t *out);
enum cella_status __wrap_cella_aead_init(struct cella_aead *aead, const uint8_t key[CELLA_AEAD_KEY_SIZE]);
enum cella_status __wrap_cella_aead_seal(struct cella_aead *aead, const uint8_t *nonce, struct cella_bytes ad,
                                         struct cella_bytes plain, uint8_t *out);
enum cella_status __wrap_cella_aead_seal_two(struct cella_aead *aead, const uint8_t *nonce,
                                             const struct cella_bytes ad[2], struct cella_bytes plain,
                                             uint8_t *out);

/* One more element; the memory lives until the program ends. */
static void *grow(void *array, size_t count, size_t *capacity, size_t size) {
    if (count < *capacity)
        return array;
    *capacity = *capacity == 0 ? 1024 : *capacity * 2;
    array = realloc(array, *capacity * size);
    if (array == NULL)
        abort();
    return array;
}

static struct holder *find(const void *state) {
    for (size_t i = 0; i < holder_count; i++)
        if (holders[i].state == state)
            return &holders[i];
    return NULL;
}

enum cella_status __wrap_cella_aead_init(struct cella_aead *aead, const uint8_t key[CELLA_AEAD_KEY_SIZE]) {
    enum cella_status status = __real_cella_aead_init(aead, key);
    if (status != CELLA_OK)
        return status;
    (void)pthread_mutex_lock(&lock);
    struct holder *holder = find(aead->state);
    if (holder == NULL) {
        holders = grow(holders, holder_count, &holder_capacity, sizeof *holders);
        holder = &holders[holder_count++];
        holder->state = aead->state;
    }
    cella_sha256(key, CELLA_AEAD_KEY_SIZE, holder->key);
    (void)pthread_mutex_unlock(&lock);
    return status;
}

static void record(const struct cella_aead *aead, const uint8_t *nonce) {
    (void)pthread_mutex_lock(&lock);
    const struct holder *holder = find(aead->state);
    if (holder == NULL)
        abort();
    uses = grow(uses, use_count, &use_capacity, sizeof *uses);
    memcpy(uses[use_count].key, holder->key, sizeof holder->key);
    memcpy(uses[use_count].nonce, nonce, CELLA_AEAD_NONCE_SIZE);
    use_count++;
    (void)pthread_mutex_unlock(&lock);
}

enum cella_status __wrap_cella_aead_seal(struct cella_aead *aead, const uint8_t *nonce, struct cella_bytes ad,
                                         struct cella_bytes plain, uint8_t *out) {
    enum cella_status status = __real_cella_aead_seal(aead, nonce, ad, plain, out);
    if (status == CELLA_OK)
        record(aead, nonce);
    return status;
}

enum cella_status __wrap_cella_aead_seal_two(struct cella_aead *aead, const uint8_t *nonce,
                                             const struct cella_bytes ad[2], struct cella_bytes plain,
                                             uint8_t *out) {
    enum cella_status status = __real_cella_aead_seal_two(aead, nonce, ad, plain, out);
    if (status == CELLA_OK)
        record(aead, nonce);
    return status;
}

size_t test_nonces_used(void) {
    (void)pthread_mutex_lock(&lock);
    size_t count = use_count;
    (void)pthread_mutex_unlock(&lock);
    return count;
}

static int compare(const void *left, const void *right) {
    return memcmp(left, right, sizeof(struct use));
}

size_t test_nonces_repeated(void) {
    (void)pthread_mutex_lock(&lock);
    struct use *sorted = calloc(use_count + 1, sizeof *sorted);
    if (sorted == NULL)
        abort();
    if (use_count > 0)
        memcpy(sorted, uses, use_count * sizeof *sorted);
    size_t count = use_count, repeated = 0;
    (void)pthread_mutex_unlock(&lock);
    qsort(sorted, count, sizeof *sorted, compare);
    for (size_t i = 1; i < count; i++)
        repeated += compare(&sorted[i - 1], &sorted[i]) == 0;
    free(sorted);
    return repeated;
}
