/* Verification of attestations, offline and at a time that the caller names: is this a genuine machine, which
 * code runs on it, which keys are its own, and does a constraint accept it?
 * Must not: ask a clock, a network or a file; hand out a claim before every check held. */
#ifndef CELLA_VERIFY_H
#define CELLA_VERIFY_H

#include <cella/bytes.h>
#include <cella/constraint.h>
#include <cella/status.h>
#include <stdbool.h>

#define CELLA_NONCE_SIZE    32
#define CELLA_VAULT_ID_SIZE 32
/* What a vault is from its beginning on (formats/genesis.md); its SHA-256 is the vault id. */
#define CELLA_GENESIS_SIZE_MAX 768
/* Larger attestations are refused unread. */
#define CELLA_ATTESTATION_SIZE_MAX 262144

/* Kinds of evidence. The number is part of formats. */
enum cella_kind {
    CELLA_KIND_SGX = 1, /* Intel SGX, DCAP quote version 3; also what the simulated machine makes */
};

/* "SGX"; "UNKNOWN" for any other number. */
const char *cella_kind_name(enum cella_kind kind);

/* How the instance knows that its vault's state is the newest. The number is part of formats. */
enum cella_freshness {
    CELLA_FRESHNESS_NONE = 0,        /* no vault */
    CELLA_FRESHNESS_MACHINE = 1,     /* one machine's counter: rollback within an epoch is only detected */
    CELLA_FRESHNESS_WARDENS = 2,     /* a quorum of wardens confirms every commit and every read */
    CELLA_FRESHNESS_UNCONFIRMED = 3, /* the same, but reads are not confirmed (reads = unconfirmed) */
    CELLA_FRESHNESS_UNKNOWN = 4,     /* the image consents to state of unknown freshness */
};

/* "none", "machine", "wardens", "unconfirmed", "unknown"; "UNKNOWN" for any other number. */
const char *cella_freshness_name(enum cella_freshness freshness);

/* What an instance says about itself under its report data (formats/statement.md). Ids of zeros mean none. */
struct cella_statement {
    uint8_t session_key[32]; /* X25519, fresh at each start */
    uint8_t signing_key[32]; /* Ed25519 */
    bool has_mailbox;
    uint32_t mailbox_generation;
    uint8_t mailbox_key[32];               /* X25519 */
    uint8_t vault_id[CELLA_VAULT_ID_SIZE]; /* SHA-256 of genesis */
    size_t genesis_size;                   /* 0: no vault */
    uint8_t genesis[CELLA_GENESIS_SIZE_MAX];
    uint8_t warden_group[32];
    uint64_t warden_lineage;
    uint8_t warden_constraint[32]; /* digest of the wardens' constraint, cella_constraint_digest() */
    enum cella_level warden_level; /* meaningful only with a warden group */
    enum cella_freshness freshness;
};

/* The vendor's word on a platform, as Intel names them. */
enum cella_tcb_status {
    CELLA_TCB_UP_TO_DATE = 1,
    CELLA_TCB_SW_HARDENING_NEEDED = 2,
    CELLA_TCB_CONFIGURATION_NEEDED = 3,
    CELLA_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED = 4,
    CELLA_TCB_OUT_OF_DATE = 5,
    CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED = 6,
    CELLA_TCB_REVOKED = 7, /* never in a verdict: refused */
};

/* "UpToDate", "SWHardeningNeeded", …; "UNKNOWN" for any other number. */
const char *cella_tcb_status_name(enum cella_tcb_status status);

/* The rule that decided the level: the one that lowered it most, or CURRENT when none did. */
enum cella_level_rule {
    CELLA_RULE_CURRENT = 1,         /* genuine, up to date: SECURE */
    CELLA_RULE_SIMULATED = 2,       /* the simulated machine's root: INSECURE */
    CELLA_RULE_CALLER_ROOT = 3,     /* a root that only the caller named, without vouching for it: INSECURE */
    CELLA_RULE_DEBUG = 4,           /* a debug enclave, the host can read its memory: INSECURE */
    CELLA_RULE_PLATFORM = 5,        /* tcb_status of the platform is not UpToDate: STALE */
    CELLA_RULE_QUOTING_ENCLAVE = 6, /* the quoting enclave is not UpToDate: STALE */
    CELLA_RULE_MISSING = 7,         /* collateral is missing that the caller allowed to be missing: STALE */
    CELLA_RULE_WARDENS = 8,         /* the vault's wardens have a lower level */
};

/* One sentence for people. Never NULL. */
const char *cella_level_rule_sentence(enum cella_level_rule rule);

#define CELLA_ADVISORIES_MAX    64
#define CELLA_ADVISORY_SIZE_MAX 32

struct cella_advisories {
    size_t count;
    char ids[CELLA_ADVISORIES_MAX][CELLA_ADVISORY_SIZE_MAX]; /* "INTEL-SA-00615", terminated */
};

/* The oldest collateral that is still accepted; zeros accept all that is valid at the time. A verifier that
 * remembers the largest values that it has ever seen cannot be led back by a host that turns its clock. */
struct cella_verify_floors {
    uint32_t tcb_evaluation_number; /* of TCB info and QE identity: the smaller of both must reach it */
    uint64_t root_crl_number;
    uint64_t pck_crl_number;
    int64_t issued; /* Unix seconds: TCB info, QE identity and PCK CRL must have been issued at or after it */
};

/* A further root, for an own vendor or for test data. */
struct cella_verify_root {
    struct cella_bytes certificate; /* one, DER or PEM; its key is what is trusted, for any dates */
    bool vouched; /* true: the caller vouches for it as for the vendor's root; false: INSECURE */
};

/* What may be missing, or'ed into may_miss. Whatever is present is checked all the same. */
enum cella_may_miss {
    CELLA_MAY_MISS_PCK_CRL = 1,
    CELLA_MAY_MISS_ROOT_CRL = 2,
};

/* What to verify against. Use designated initialisers: members that are left out are the strict choice. */
struct cella_verify_options {
    const struct cella_constraint *constraint; /* NULL is CELLA_ARGUMENT */
    int64_t at;                                /* Unix seconds: certificates and collateral are judged then */
    const uint8_t *nonce; /* 32 bytes that must be in the evidence; NULL: none is asked */
    struct cella_verify_floors floors;
    const struct cella_verify_root *roots;
    size_t root_count;
    unsigned may_miss; /* enum cella_may_miss; the level is STALE at best then */
};

/* The answer. A plain value. Everything in it was verified. */
struct cella_verdict {
    enum cella_kind kind;
    struct cella_identity identity; /* code hash, signer, product id, security version, level, time */
    bool debug;
    bool simulated;
    bool nonce_checked; /* the caller's nonce is in the evidence */
    unsigned missing;   /* enum cella_may_miss: what was missing, with the caller's leave */
    enum cella_level_rule rule;
    enum cella_tcb_status tcb_status;      /* the platform's and the quoting enclave's together */
    enum cella_tcb_status platform_status; /* of the platform's level alone */
    enum cella_tcb_status qe_status;       /* of the quoting enclave's level alone */
    int64_t tcb_date;                   /* of the platform's level: what the vendor knew by then is fixed */
    struct cella_advisories advisories; /* of the platform's level */
    struct cella_advisories qe_advisories; /* of the quoting enclave's level */
    uint8_t fmspc[6];                      /* the kind of platform */
    int64_t time_claimed;                  /* the host's word on when it made the attestation */
    int64_t next_update;                   /* the earliest end among all that was used */
    struct cella_verify_floors seen;       /* raise your floors to these */
    struct cella_statement statement;
};

/* Verifies a whole attestation: format, chain to a pinned root, signatures, revocation, platform, the keys'
 * binding to the evidence, the nonce, and then the constraint. *ret_verdict is filled only when all held.
 *
 * identity.time is the earliest of the time that the host claims and the issue times that the vendor signed
 * (TCB info, QE identity, PCK CRL): a host can make an attestation look older than it is, never younger than
 * its collateral.
 *
 * CELLA_DAMAGED: not an attestation. CELLA_NEWER_FORMAT: made by a newer release. CELLA_EVIDENCE_UNSUPPORTED:
 * evidence that cannot be verified offline. CELLA_EVIDENCE_INVALID: a signature or a link in the evidence is
 * wrong. CELLA_UNTRUSTED_ROOT, CELLA_CERTIFICATE_INVALID (also a root in `options` that cannot be read),
 * CELLA_CERTIFICATE_NOT_VALID_AT, CELLA_CERTIFICATE_REVOKED: its certificates. CELLA_COLLATERAL_MISSING,
 * _INVALID, _MISMATCH (of another platform), _NOT_VALID_AT, _BELOW_FLOOR. CELLA_TCB_NOT_SUPPORTED,
 * CELLA_TCB_IS_REVOKED, CELLA_QE_NOT_GENUINE: the platform. CELLA_KEYS_NOT_ATTESTED, CELLA_NONCE_MISMATCH,
 * CELLA_TIME_IN_FUTURE: the attestation. CELLA_REFUSED_…: the constraint, see cella/constraint.h. */
enum cella_status cella_verify(struct cella_bytes attestation, const struct cella_verify_options *options,
                               struct cella_verdict *ret_verdict, struct cella_error *error);

/* Verifies what cella_sign() made in the instance that the verdict names: `label` (1 to 64 printable
 * characters), `message` and the 64 bytes of `signature`. CELLA_SIGNATURE_INVALID: it did not sign this. */
enum cella_status cella_verify_signature(const struct cella_verdict *verdict, const char *label,
                                         struct cella_bytes message, const uint8_t signature[64],
                                         struct cella_error *error);

#endif
