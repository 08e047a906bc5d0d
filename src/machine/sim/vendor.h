/* The simulated vendor: root, PCK CA and TCB signing keys, all derived from one seed, and their certificates.
 * Whoever has the seed can sign any machine; the default vendor's seed is public on purpose. Must not be
 * trusted by anyone for anything: every name says INSECURE. */
#ifndef CELLA_MACHINE_SIM_VENDOR_H
#define CELLA_MACHINE_SIM_VENDOR_H

#include "crypto/x509_build.h"
#include "machine/sim/derive.h"

#define CELLA_SIM_NAME_ROOT        "INSECURE Cella Simulated SGX Root CA"
#define CELLA_SIM_NAME_CA          "INSECURE Cella Simulated SGX PCK Platform CA"
#define CELLA_SIM_NAME_TCB_SIGNING "INSECURE Cella Simulated SGX TCB Signing"
#define CELLA_SIM_NAME_PCK         "INSECURE Cella Simulated SGX PCK Certificate"
#define CELLA_SIM_ORGANIZATION     "INSECURE Cella Simulation"

/* Every certificate's validity: 2023-01-01T00:00:00Z to 2049-12-31T23:59:59Z. */
#define CELLA_SIM_NOT_BEFORE INT64_C(1672531200)
#define CELLA_SIM_NOT_AFTER  INT64_C(2524607999)

/* Of the simulated CPU model, printed as 0053494D0000. */
#define CELLA_SIM_FMSPC_SIZE 6
extern const uint8_t cella_sim_fmspc[CELLA_SIM_FMSPC_SIZE];

/* SHA-256 of "INSECURE Cella Simulated vendor, known to everyone". */
void cella_sim_vendor_public_seed(uint8_t out[CELLA_SIM_SECRET_SIZE]);

enum cella_sim_vendor_key { CELLA_SIM_KEY_ROOT, CELLA_SIM_KEY_CA, CELLA_SIM_KEY_TCB_SIGNING };

/* One of the vendor's key pairs. Owned by the caller. CELLA_CRYPTO. */
enum cella_status cella_sim_vendor_key(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                       enum cella_sim_vendor_key which, struct cella_ecdsa_key **ret_key);

/* Issues the certificate of that key, DER, into the writer. CELLA_TOO_SMALL, CELLA_CRYPTO. */
enum cella_status cella_sim_vendor_certificate(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                               enum cella_sim_vendor_key which, struct cella_writer *writer);

/* What a PCK certificate says about a platform. */
struct cella_sim_platform {
    uint8_t ppid[16];
    uint8_t instance_id[16];
    uint8_t component_svn[16]; /* also the CPUSVN */
    uint16_t pce_svn;
};

/* Issues the PCK certificate for the public key X||Y. CELLA_TOO_SMALL, CELLA_CRYPTO. */
enum cella_status cella_sim_vendor_pck(const uint8_t seed[CELLA_SIM_SECRET_SIZE],
                                       const struct cella_sim_platform *platform,
                                       const uint8_t public_key[CELLA_ECDSA_PUBLIC_SIZE],
                                       struct cella_writer *writer);

#endif
