/* The file `machine` of a simulated machine's folder: its secrets, version and certificates
 * (formats/sim-machine.md). Must not derive keys: opening stays cheap. */
#ifndef CELLA_MACHINE_SIM_STATE_H
#define CELLA_MACHINE_SIM_STATE_H

#include "machine/sim/vendor.h"
#include <limits.h>

#define CELLA_SIM_STATE_SIZE_MAX 32768

/* Platform versions: the vendor knows 1 to 12; 0 is older than all it ever published. */
#define CELLA_SIM_VERSION_MAX     12
#define CELLA_SIM_VERSION_DEFAULT 3

struct cella_sim_state {
    uint8_t platform_version;
    uint8_t required_version; /* the oldest that the vendor calls UpToDate, 1 to 12 */
    uint8_t fuse_secret[CELLA_SIM_SECRET_SIZE];
    uint8_t vendor_seed[CELLA_SIM_SECRET_SIZE];
    int64_t frozen_issue_date; /* of collateral that is not issued again; 0: not frozen */
    /* Certificates, DER; views of memory that the state owns. */
    struct cella_bytes root;
    struct cella_bytes ca;
    struct cella_bytes tcb_signing;
    struct cella_bytes pck;
    uint8_t *memory;
    size_t memory_size;
};

/* Joins folder and name. CELLA_ARGUMENT if the path is too long. */
enum cella_status cella_sim_path(const char *folder, const char *name, char out[PATH_MAX],
                                 struct cella_error *error);

/* Reads and checks the folder's mode and the file. CELLA_NOT_A_MACHINE, CELLA_PERMISSION,
 * CELLA_MACHINE_DAMAGED, CELLA_NEWER_FORMAT, CELLA_IO. */
enum cella_status cella_sim_state_read(const char *folder, struct cella_sim_state *ret_state,
                                       struct cella_error *error);
/* The same from bytes, which the state then owns (malloc). On failure they stay the caller's. */
enum cella_status cella_sim_state_parse(uint8_t *bytes, size_t size, struct cella_sim_state *ret_state,
                                        struct cella_error *error);

/* Issues the PCK certificate that fits the secrets and the version, and the vendor's certificates too unless
 * `vendor` (of the same seed) lends its own. Fills the views and owns their memory. CELLA_CRYPTO. */
enum cella_status cella_sim_state_issue(struct cella_sim_state *state, const struct cella_sim_state *vendor);

/* Replaces the file; with `is_new` CELLA_EXISTS and nothing changed if there is one. */
enum cella_status cella_sim_state_write(const char *folder, const struct cella_sim_state *state, bool is_new,
                                        struct cella_error *error);

/* Wipes and frees what the state owns; accepts a zeroed one. */
void cella_sim_state_deinit(struct cella_sim_state *state);

/* True when everyone knows the vendor's seed. */
bool cella_sim_state_has_public_vendor(const struct cella_sim_state *state);

/* What version `version` means: the sixteen component SVNs (the CPUSVN has the same bytes) and the PCE's SVN.
 */
void cella_sim_component_svns(unsigned version, uint8_t out[16]);
uint16_t cella_sim_pce_svn(unsigned version);

/* Everything about this platform that its PCK certificate says, and its PCK key. */
enum cella_status cella_sim_state_platform(const struct cella_sim_state *state,
                                           struct cella_sim_platform *ret_platform);
enum cella_status cella_sim_state_pck_key(const struct cella_sim_state *state,
                                          struct cella_ecdsa_key **ret_key);

#endif
