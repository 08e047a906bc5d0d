/* The simulated machine behind machine.h, and what its files share. Must not be included outside src/machine.
 */
#ifndef CELLA_MACHINE_SIM_SIM_H
#define CELLA_MACHINE_SIM_SIM_H

#include "machine/machine_kind.h"
#include "machine/sim/state.h"
#include <pthread.h>
#include <sys/stat.h>

/* Where a file stood when it was read: told apart from the one that stands there later. */
struct cella_sim_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

/* What quoting needs, made on the first quote and again when the machine's file changed. */
struct cella_sim_quoting {
    struct cella_sim_stamp stamp;
    struct cella_sim_state state;
    struct cella_ecdsa_key *attestation_key;
    uint8_t qe_report_body[CELLA_REPORT_BODY_SIZE];
    uint8_t qe_signature[CELLA_ECDSA_SIGNATURE_SIZE];
    uint8_t qe_id[16];
    uint8_t *chain; /* PEM: PCK, CA, root */
    size_t chain_size;
    struct cella_machine_collateral *collateral; /* issued last, or NULL */
};

struct cella_sim {
    struct cella_machine base;
    char *folder;
    /* As at open, like a CPU since its last boot; never changed afterwards. */
    struct cella_sim_state state;
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    uint8_t report_key_id[32];
    pthread_mutex_t mutex; /* guards the member below */
    struct cella_sim_quoting *quoting;
};

/* cella_machine_open for a folder. */
enum cella_status cella_sim_open(const char *folder, struct cella_machine **ret_machine,
                                 struct cella_error *error);

/* The stamp of the folder's file `machine`. CELLA_NOT_A_MACHINE. */
enum cella_status cella_sim_stamp(const char *folder, struct cella_sim_stamp *ret_stamp,
                                  struct cella_error *error);
bool cella_sim_stamp_equal(const struct cella_sim_stamp *left, const struct cella_sim_stamp *right);

/* Takes the exclusive lock on a folder; the caller closes *ret_fd, which releases it. Waits. */
enum cella_status cella_sim_lock(const char *folder, int *ret_fd, struct cella_error *error);

/* The simulated quoting enclave. */
#define CELLA_SIM_QE_ISV_PROD_ID UINT16_C(1)
#define CELLA_SIM_QE_ISV_SVN     UINT16_C(2)
void cella_sim_qe_identity(struct cella_machine_identity *ret_identity);

/* The first 384 bytes of a REPORT. */
void cella_sim_report_body(const struct cella_machine_identity *identity, const uint8_t *cpu_svn,
                           const uint8_t *report_data, uint8_t ret_body[CELLA_REPORT_BODY_SIZE]);

/* The report key of the enclave that a TARGETINFO names. CELLA_ARGUMENT (reserved bytes), CELLA_CRYPTO. */
enum cella_status cella_sim_report_key(const struct cella_sim_state *state, const uint8_t *target_info,
                                       const uint8_t key_id[32], uint8_t ret_key[CELLA_MACHINE_KEY_SIZE]);
/* TARGETINFO that names `identity`. */
void cella_sim_target_info(const struct cella_machine_identity *identity,
                           uint8_t ret_target_info[CELLA_TARGET_INFO_SIZE]);

/* The calls of machine.h for this kind. */
enum cella_status cella_sim_launch(struct cella_machine *machine, const struct cella_machine_launch *launch,
                                   struct cella_machine_identity *ret_identity, struct cella_error *error);
enum cella_status cella_sim_report(struct cella_machine *machine,
                                   const struct cella_machine_identity *identity, const uint8_t *target_info,
                                   const uint8_t *report_data, uint8_t *ret_report,
                                   struct cella_error *error);
enum cella_status cella_sim_key(struct cella_machine *machine, const struct cella_machine_identity *identity,
                                const uint8_t *key_request, uint8_t *ret_key, struct cella_error *error);
enum cella_status cella_sim_counter_create(struct cella_machine *machine,
                                           const struct cella_machine_identity *identity, const uint8_t *name,
                                           struct cella_error *error);
enum cella_status cella_sim_counter_read(struct cella_machine *machine,
                                         const struct cella_machine_identity *identity, const uint8_t *name,
                                         struct cella_machine_counter *ret_counter,
                                         struct cella_error *error);
enum cella_status cella_sim_counter_increment(struct cella_machine *machine,
                                              const struct cella_machine_identity *identity,
                                              const uint8_t *name, uint64_t value, const uint8_t *mark,
                                              struct cella_error *error);
enum cella_status cella_sim_quote(struct cella_machine *machine, const uint8_t *report, uint8_t **ret_quote,
                                  size_t *ret_size, struct cella_error *error);
enum cella_status cella_sim_collateral(struct cella_machine *machine, int64_t now,
                                       struct cella_machine_collateral **ret_collateral,
                                       struct cella_error *error);

/* Makes `quoting` fit the machine's file as it is now. The caller holds the mutex. */
enum cella_status cella_sim_refresh(struct cella_sim *sim, struct cella_error *error);
/* Wipes and frees; NULL is allowed. */
void cella_sim_quoting_free(struct cella_sim_quoting *quoting);

#endif
