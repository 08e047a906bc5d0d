/* Making and changing simulated machines: what `cella sim` does. Every change is one atomic replacement of
 * the machine's file. Must not touch what a host stores. */
#ifndef CELLA_MACHINE_SIM_MANAGE_H
#define CELLA_MACHINE_SIM_MANAGE_H

#include <cella/bytes.h>
#include <cella/status.h>
#include <stdbool.h>
#include <stdint.h>

struct cella_sim_create_options {
    const char *folder;
    bool own_vendor;           /* a fresh vendor with a root of its own */
    const char *vendor_folder; /* NULL, or a machine whose vendor also makes this one */
    unsigned platform_version; /* 0 to 12 */
    bool dry_run;              /* check only */
};

/* Makes a machine in `folder`, which must be missing or empty. CELLA_EXISTS, CELLA_ARGUMENT, CELLA_IO,
 * CELLA_PERMISSION, CELLA_NO_RANDOM, and the statuses of reading the vendor's machine. */
enum cella_status cella_sim_create(const struct cella_sim_create_options *options, struct cella_error *error);

/* The version that cella_sim_create makes unless told otherwise. */
#define CELLA_SIM_VERSION_NEW 3u

/* What to change; a NULL member stays as it is. */
struct cella_sim_change {
    const unsigned *platform_version;    /* 0 to 12: certificates are issued again */
    const unsigned *required_version;    /* 1 to 12: the oldest that the vendor calls UpToDate */
    const int64_t *collateral_issued_at; /* freezes collateral at that date; 0 thaws it */
    bool new_cpu;                        /* a fresh fuse secret; counters of the old CPU are gone */
    bool dry_run;                        /* check only */
};

/* CELLA_ARGUMENT, CELLA_NOT_A_MACHINE, CELLA_MACHINE_DAMAGED, CELLA_IO, … On failure nothing has changed. */
enum cella_status cella_sim_change(const char *folder, const struct cella_sim_change *change,
                                   struct cella_error *error);

/* What `show` prints: nothing secret. */
struct cella_sim_description {
    unsigned platform_version;
    unsigned required_version;
    uint8_t cpu_id[8]; /* tells CPUs apart */
    uint8_t cpu_svn[16];
    uint16_t pce_svn;
    uint8_t fmspc[6];
    bool has_public_vendor;
    int64_t collateral_issued_at; /* frozen at; 0: not frozen */
    size_t counter_count;
    char root_pem[4096];   /* the vendor's root certificate */
    char chain_pem[12288]; /* PCK, CA, root: what every quote carries */
    uint8_t root_key[64];
};
enum cella_status cella_sim_describe(const char *folder, struct cella_sim_description *ret_description,
                                     struct cella_error *error);

#endif
