/* What a client reads back from its own files. The first byte chooses: 0 the state (its checksum is made to
 * fit, so that what lies behind it is reached), 1 a head file. What is accepted is written as the same bytes.
 */
#include "base/error.h"
#include "base/secret.h"
#include "client/head_file.h"
#include "client/state.h"
#include "crypto/hash.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_state(struct cella_bytes content) {
    struct cella_client_state state;
    uint8_t *file = malloc(content.size + CELLA_SHA256_SIZE), *again = NULL;
    size_t size = 0;
    CELLA_ASSERT(file != NULL);
    if (content.size > 0)
        memcpy(file, content.data, content.size);
    cella_sha256(content.data, content.size, file + content.size);
    struct cella_bytes bytes = CELLA_BYTES(file, content.size + CELLA_SHA256_SIZE);
    if (cella_client_state_parse(bytes, &state, NULL) == CELLA_OK) {
        CELLA_ASSERT(cella_client_state_write(&state, &again, &size) == CELLA_OK);
        CELLA_ASSERT(size == bytes.size && memcmp(again, file, size) == 0);
        cella_wipe_free(again, size);
        cella_client_state_deinit(&state);
    }
    free(file);
}

static void read_head(struct cella_bytes bytes) {
    struct cella_head_file file;
    uint8_t again[CELLA_HEAD_FILE_SIZE_MAX];
    if (cella_head_file_parse(bytes, &file, NULL) != CELLA_OK)
        return;
    CELLA_ASSERT(cella_head_file_write(&file, again) == bytes.size);
    CELLA_ASSERT(memcmp(again, bytes.data, bytes.size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0)
        return 0;
    if (data[0] == 0)
        read_state(CELLA_BYTES(data + 1, size - 1));
    else
        read_head(CELLA_BYTES(data + 1, size - 1));
    return 0;
}
