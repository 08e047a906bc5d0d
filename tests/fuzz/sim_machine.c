/* The file of a simulated machine: any bytes are refused or give a state that can be written again. */
#include "machine/sim/state.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cella_sim_state state;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    if (copy == NULL)
        abort();
    if (size > 0)
        memcpy(copy, data, size);
    if (cella_sim_state_parse(copy, size, &state, NULL) != CELLA_OK) {
        free(copy);
        return 0;
    }
    if (state.platform_version > CELLA_SIM_VERSION_MAX || state.pck.size > CELLA_X509_CERT_SIZE_MAX)
        abort();
    cella_sim_state_deinit(&state);
    return 0;
}
