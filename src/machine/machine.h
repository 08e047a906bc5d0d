/* The machine: what measures an image, gives an enclave its keys, reports about it and counts for it. The one
 * interface behind which hardware and the simulated machine stand; structures are those of the Intel SDM,
 * volume 3D. Of images it knows SIGSTRUCT alone; it must not know
 * mail or doors. */
#ifndef CELLA_MACHINE_MACHINE_H
#define CELLA_MACHINE_MACHINE_H

#include "image/sigstruct.h"
#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

#define CELLA_REPORT_SIZE       432
#define CELLA_REPORT_BODY_SIZE  384
#define CELLA_TARGET_INFO_SIZE  512
#define CELLA_REPORT_DATA_SIZE  64
#define CELLA_KEY_REQUEST_SIZE  512
#define CELLA_MACHINE_KEY_SIZE  16
#define CELLA_COUNTER_NAME_SIZE 32
#define CELLA_COUNTER_MARK_SIZE 32
#define CELLA_CPU_SVN_SIZE      16

/* KEYREQUEST.KEYNAME and KEYREQUEST.KEYPOLICY; offsets of its fields are in formats/sim-machine.md. */
enum cella_key_name {
    CELLA_KEY_NAME_EINITTOKEN = 0,
    CELLA_KEY_NAME_PROVISION = 1,
    CELLA_KEY_NAME_PROVISION_SEAL = 2,
    CELLA_KEY_NAME_REPORT = 3,
    CELLA_KEY_NAME_SEAL = 4
};
#define CELLA_KEY_POLICY_MRENCLAVE UINT16_C(1)
#define CELLA_KEY_POLICY_MRSIGNER  UINT16_C(2)

/* One open machine; every call below is safe from several threads, and several processes may have the same
 * machine open. Opening reads one small file: nothing is parsed or derived before it is needed. */
struct cella_machine;

/* Opens the machine at `path`: the folder of a simulated one. Owned by the caller. CELLA_NOT_A_MACHINE
 * (nothing there that is one), CELLA_MACHINE_DAMAGED, CELLA_PERMISSION (others may read its secrets),
 * CELLA_UNSUPPORTED (hardware that this release cannot drive), CELLA_NEWER_FORMAT, CELLA_IO. */
enum cella_status cella_machine_open(const char *path, struct cella_machine **ret_machine,
                                     struct cella_error *error);
/* Wipes and frees; NULL is allowed. */
void cella_machine_free(struct cella_machine *machine);

/* "simulated"; never NULL. True when what it signs protects nothing from the computer's owner. */
const char *cella_machine_kind(const struct cella_machine *machine);
bool cella_machine_is_insecure(const struct cella_machine *machine);

/* What EINIT is asked: the loader's SECS and the SIGSTRUCT. `code_hash` is MRENCLAVE as measured from the
 * pages that are mapped, never as the image says. `flags` must not contain INIT. */
struct cella_machine_launch {
    const uint8_t *sigstruct; /* CELLA_SIGSTRUCT_SIZE */
    uint8_t code_hash[32];
    uint64_t flags;
    uint64_t xfrm;
    uint32_t misc_select;
};

/* Who a launched enclave is: the fields of its SECS. Made by cella_machine_launch only; whoever can write one
 * can take any identity, so it never crosses the door. Config ids are zero in this release. */
struct cella_machine_identity {
    uint8_t code_hash[32];   /* MRENCLAVE */
    uint8_t code_signer[32]; /* MRSIGNER */
    uint8_t config_id[64];
    uint64_t flags;
    uint64_t xfrm;
    uint32_t misc_select;
    uint16_t isv_prod_id;
    uint16_t isv_svn;
    uint16_t config_svn;
};

/* EINIT: checks the signature, that the measured hash is the signed one, and the attributes under their
 * masks. CELLA_DAMAGED (not a SIGSTRUCT), CELLA_IMAGE_UNSIGNED, CELLA_IMAGE_SIGNATURE,
 * CELLA_LAUNCH_MEASUREMENT, CELLA_LAUNCH_ATTRIBUTES. */
enum cella_status cella_machine_launch(struct cella_machine *machine,
                                       const struct cella_machine_launch *launch,
                                       struct cella_machine_identity *ret_identity,
                                       struct cella_error *error);

/* EREPORT: a REPORT about `identity` that only the enclave named in `target_info` can check. CELLA_ARGUMENT
 * if reserved bytes of the TARGETINFO are not zero. */
enum cella_status cella_machine_report(struct cella_machine *machine,
                                       const struct cella_machine_identity *identity,
                                       const uint8_t target_info[CELLA_TARGET_INFO_SIZE],
                                       const uint8_t report_data[CELLA_REPORT_DATA_SIZE],
                                       uint8_t ret_report[CELLA_REPORT_SIZE], struct cella_error *error);

/* EGETKEY: SEAL and REPORT keys for a KEYREQUEST. The caller wipes the key. CELLA_KEY_REQUEST (#GP on
 * hardware: reserved bits), CELLA_KEY_CPU_SVN, CELLA_KEY_ISV_SVN, CELLA_KEY_ATTRIBUTE, CELLA_KEY_NAME. */
enum cella_status cella_machine_key(struct cella_machine *machine,
                                    const struct cella_machine_identity *identity,
                                    const uint8_t key_request[CELLA_KEY_REQUEST_SIZE],
                                    uint8_t ret_key[CELLA_MACHINE_KEY_SIZE], struct cella_error *error);

/* The code that EINIT or EGETKEY leaves in RAX for this status (SDM names: SGX_INVALID_CPUSVN = 32, …); 0 for
 * CELLA_OK and for statuses that have none. */
uint32_t cella_machine_sgx_error(enum cella_status status);

/* The platform's CPUSVN now. */
void cella_machine_cpu_svn(struct cella_machine *machine, uint8_t ret_cpu_svn[CELLA_CPU_SVN_SIZE]);

/* Monotonic counters, named by 32 bytes and owned by (code signer, product id, debug or not) of `identity`:
 * no other enclave can see them. They are hardware: nothing that a host restores brings a value back. What is
 * returned is durable. With its value a counter keeps a mark, 32 bytes of whoever made the last increment:
 * both change together or not at all. create: a new one at 0, whose mark is zeros. CELLA_EXISTS, CELLA_LIMIT
 * (per owner and per machine). read, increment: CELLA_NO_COUNTER. Increment goes from `value`, which the
 * counter must have (of several that try at one time one succeeds), to the next: CELLA_COUNTER_MOVED,
 * CELLA_LIMIT at the end of the range. All: CELLA_MACHINE_DAMAGED, CELLA_IO. */
struct cella_machine_counter {
    uint64_t value;
    uint8_t mark[CELLA_COUNTER_MARK_SIZE];
    uint64_t offset; /* of the value in the memory of cella_machine_counters_map: the same for ever */
};
enum cella_status cella_machine_counter_create(struct cella_machine *machine,
                                               const struct cella_machine_identity *identity,
                                               const uint8_t name[CELLA_COUNTER_NAME_SIZE],
                                               struct cella_error *error);
enum cella_status cella_machine_counter_read(struct cella_machine *machine,
                                             const struct cella_machine_identity *identity,
                                             const uint8_t name[CELLA_COUNTER_NAME_SIZE],
                                             struct cella_machine_counter *ret_counter,
                                             struct cella_error *error);
enum cella_status cella_machine_counter_increment(struct cella_machine *machine,
                                                  const struct cella_machine_identity *identity,
                                                  const uint8_t name[CELLA_COUNTER_NAME_SIZE], uint64_t value,
                                                  const uint8_t mark[CELLA_COUNTER_MARK_SIZE],
                                                  struct cella_error *error);

/* The machine's counters as read-only memory, for whoever must read one often: a read is then one load. The
 * memory may be mapped before the machine is opened, and stays good after it is freed. CELLA_UNSUPPORTED: a
 * machine of a kind that has none; CELLA_MACHINE_DAMAGED, CELLA_PERMISSION, CELLA_IO. */
enum cella_status cella_machine_counters_map(const char *path, struct cella_bytes *ret_memory,
                                             struct cella_error *error);
void cella_machine_counters_unmap(struct cella_bytes memory);
/* The value at a counter's offset in that memory. CELLA_COUNTER_GONE: the counter is no longer in this
 * memory; read it as usual. */
#define CELLA_COUNTER_GONE UINT64_MAX
static inline uint64_t cella_machine_counter_load(struct cella_bytes memory, uint64_t offset) {
    if (offset % sizeof offset != 0 || memory.size < sizeof offset || offset > memory.size - sizeof offset)
        return CELLA_COUNTER_GONE;
    return __atomic_load_n((const uint64_t *)(const void *)(memory.data + offset), __ATOMIC_SEQ_CST);
}

/* TARGETINFO of the machine's quoting enclave: whom a REPORT must be for to become a quote. */
enum cella_status cella_machine_target_info(struct cella_machine *machine,
                                            uint8_t ret_target_info[CELLA_TARGET_INFO_SIZE],
                                            struct cella_error *error);

/* Turns a REPORT for the quoting enclave into a DCAP version 3 ECDSA quote with its certificate chain.
 * `*ret_quote` is from malloc, owned by the caller. CELLA_REPORT_MAC (not made here, or for another target),
 * CELLA_MACHINE_CHANGED (made before the machine was changed: start the instance again). */
enum cella_status cella_machine_quote(struct cella_machine *machine, const uint8_t report[CELLA_REPORT_SIZE],
                                      uint8_t **ret_quote, size_t *ret_size, struct cella_error *error);

/* What the vendor publishes to judge this machine's quotes. One allocation; views into it. */
struct cella_machine_collateral {
    struct cella_bytes tcb_info;      /* JSON {"tcbInfo":…,"signature":…}, not terminated */
    struct cella_bytes qe_identity;   /* JSON {"enclaveIdentity":…,"signature":…} */
    struct cella_bytes signing_chain; /* PEM: TCB signing certificate, root */
    struct cella_bytes root_crl;      /* DER */
    struct cella_bytes pck_crl;       /* DER */
    int64_t issue_date;               /* seconds since 1970, UTC */
    int64_t next_update;
};

/* Collateral that is current at `now` (seconds since 1970): never more than two hours old, unless the knob
 * expire-collateral froze it. Owned by the caller; free with the function below. */
enum cella_status cella_machine_collateral(struct cella_machine *machine, int64_t now,
                                           struct cella_machine_collateral **ret_collateral,
                                           struct cella_error *error);
void cella_machine_collateral_free(struct cella_machine_collateral *collateral);

#endif
