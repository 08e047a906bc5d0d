/* Fuzzes enclave.conf: whatever is accepted must survive the binary form unchanged. */
#include "base/error.h"
#include "image/conf.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_settings settings;
    struct cella_settings again;
    struct cella_error error;
    if (cella_conf_parse("enclave.conf", CELLA_BYTES(data, size), &settings, &error) != CELLA_OK)
        return 0;
    uint8_t *buffer = malloc(2 * CELLA_SETTINGS_SIZE_LIMIT);
    CELLA_ASSERT(buffer != NULL);
    size_t first = 0;
    size_t second = 0;
    if (cella_settings_write(&settings, buffer, CELLA_SETTINGS_SIZE_LIMIT, &first, &error) == CELLA_OK) {
        CELLA_ASSERT(cella_settings_read(CELLA_BYTES(buffer, first), &again, &error) == CELLA_OK);
        CELLA_ASSERT(cella_settings_write(&again, buffer + CELLA_SETTINGS_SIZE_LIMIT,
                                          CELLA_SETTINGS_SIZE_LIMIT, &second, &error) == CELLA_OK);
        CELLA_ASSERT(first == second && memcmp(buffer, buffer + CELLA_SETTINGS_SIZE_LIMIT, first) == 0);
    }
    free(buffer);
    cella_settings_deinit(&settings);
    return 0;
}
