/* Keys and owner register of a vault that is bound to one machine. Must not: let what lies on a disk choose
 * to whom a key belongs; everything but versions and key id comes from the image's own settings. */
#include "enclave/machine_source.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/secret.h"
#include "base/writer.h"
#include "crypto/hkdf.h"
#include "crypto/random.h"
#include "enclave/leaf.h"
#include <string.h>

#define INFO_VERSION UINT16_C(1)
#define LABEL        "cella/vault/machine-key/1" /* with its terminator, before the info */
/* What a key binds of the enclave's attributes: DEBUG, INIT and every bit that Intel reserves for properties
 * that matter to security. Not bound: what may differ between two honest starts (MODE64BIT, PROVISIONKEY,
 * EINITTOKENKEY, and which extended state the operating system allows). */
#define FLAGS_MASK UINT64_C(0xff0000000000000b)
#define XFRM_MASK  UINT64_C(0)
#define MISC_MASK  UINT32_C(0xf0000000)
/* Offsets in a REPORT. */
#define REPORT_FLAGS       48
#define REPORT_CODE_HASH   64
#define REPORT_CODE_SIGNER 128
#define REPORT_PRODUCT     256
/* Left in RAX by EGETKEY. */
#define SGX_INVALID_CPUSVN UINT32_C(32)
#define SGX_INVALID_ISVSVN UINT32_C(64)
#define KEY_ID_SIZE        32
#define IDENTITY_SIZE      32

_Static_assert((int)CELLA_VAULT_KEYS_IMAGE == (int)CELLA_KEY_POLICY_MRENCLAVE &&
                   (int)CELLA_VAULT_KEYS_SIGNER == (int)CELLA_KEY_POLICY_MRSIGNER,
               "the settings' numbers are KEYPOLICY's");
_Static_assert(CELLA_VAULT_ID_SIZE == CELLA_COUNTER_NAME_SIZE, "a vault's id names its counter");
_Static_assert(CELLA_MARK_SIZE == CELLA_COUNTER_MARK_SIZE, "a counter keeps an owner's mark");

/* Whose a key is. */
struct holder {
    uint16_t key_policy;
    uint16_t product_id;
    uint64_t flags;                  /* under FLAGS_MASK */
    uint8_t identity[IDENTITY_SIZE]; /* code hash or signer, as the policy says */
};

/* What stays the same while the instance runs. */
static struct {
    struct holder holder;
    uint16_t isv_svn;
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
} own;

/* What differs from key to key. */
struct key_id {
    uint16_t isv_svn;
    uint8_t cpu_svn[CELLA_CPU_SVN_SIZE];
    uint8_t id[KEY_ID_SIZE];
};

void cella_machine_source_init(const struct cella_settings *settings) {
    /* A report about ourselves, for nobody: the CPU says in it which versions it runs at. */
    static const uint8_t nobody[CELLA_TARGET_INFO_SIZE];
    static const uint8_t no_data[CELLA_REPORT_DATA_SIZE];
    uint8_t report[CELLA_REPORT_SIZE];
    cella_leaf_report(nobody, no_data, report);
    struct cella_reader reader;
    cella_reader_init(&reader, CELLA_BYTES(report + REPORT_FLAGS, 8));
    own.holder.flags = cella_read_u64(&reader) & FLAGS_MASK;
    cella_reader_init(&reader, CELLA_BYTES(report + REPORT_PRODUCT, 4));
    own.holder.product_id = cella_read_u16(&reader);
    own.isv_svn = cella_read_u16(&reader);
    own.holder.key_policy = settings->key_policy;
    bool by_signer = settings->key_policy == CELLA_KEY_POLICY_MRSIGNER;
    memcpy(own.holder.identity, report + (by_signer ? REPORT_CODE_SIGNER : REPORT_CODE_HASH),
           sizeof own.holder.identity);
    memcpy(own.cpu_svn, report, sizeof own.cpu_svn);
}

static void write_info(const struct key_id *key, uint8_t out[CELLA_MACHINE_KEY_INFO_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_MACHINE_KEY_INFO_SIZE);
    cella_write_u16(&writer, INFO_VERSION);
    cella_write_u16(&writer, own.holder.key_policy);
    cella_write_u16(&writer, key->isv_svn);
    cella_write_u16(&writer, own.holder.product_id);
    cella_write_bytes(&writer, key->cpu_svn, sizeof key->cpu_svn);
    cella_write_u64(&writer, FLAGS_MASK);
    cella_write_u64(&writer, XFRM_MASK);
    cella_write_u32(&writer, MISC_MASK);
    cella_write_u32(&writer, 0);
    cella_write_bytes(&writer, key->id, sizeof key->id);
    cella_write_u64(&writer, own.holder.flags);
    cella_write_bytes(&writer, own.holder.identity, sizeof own.holder.identity);
    CELLA_ASSERT(!writer.failed && writer.size == CELLA_MACHINE_KEY_INFO_SIZE);
}

static const char *policy_name(uint16_t policy) {
    return policy == CELLA_KEY_POLICY_MRSIGNER ? "signer" : "image";
}

/* What an info says of its holder chooses nothing: another one than this enclave is refused, by name. */
static enum cella_status check_holder(const struct holder *holder, struct cella_error *error) {
    bool by_signer = own.holder.key_policy == CELLA_KEY_POLICY_MRSIGNER;
    if (holder->key_policy != own.holder.key_policy)
        return cella_fail(error, CELLA_VAULT_OTHER_SIGNER,
                          "the vault was sealed under key_policy = %s, this image has %s",
                          policy_name(holder->key_policy), policy_name(own.holder.key_policy));
    if (memcmp(holder->identity, own.holder.identity, sizeof own.holder.identity) != 0)
        return cella_fail(error, CELLA_VAULT_OTHER_SIGNER,
                          by_signer ? "the vault was sealed by an image of another code signer"
                                    : "the vault was sealed by an image with another code hash, and its "
                                      "key_policy is image");
    if (holder->product_id != own.holder.product_id)
        return cella_fail(error, CELLA_VAULT_OTHER_SIGNER,
                          "the vault was sealed by product %u, this image is product %u",
                          (unsigned)holder->product_id, (unsigned)own.holder.product_id);
    if (holder->flags != own.holder.flags)
        return cella_fail(error, CELLA_VAULT_OTHER_SIGNER,
                          "the vault was sealed by an image with other attributes: debug and release images "
                          "do not share vaults");
    return CELLA_OK;
}

static enum cella_status read_info(struct cella_bytes info, struct key_id *ret_key,
                                   struct cella_error *error) {
    struct cella_reader reader;
    struct key_id key;
    struct holder holder;
    cella_reader_init(&reader, info);
    uint16_t version = cella_read_u16(&reader);
    holder.key_policy = cella_read_u16(&reader);
    key.isv_svn = cella_read_u16(&reader);
    holder.product_id = cella_read_u16(&reader);
    cella_read_copy(&reader, key.cpu_svn, sizeof key.cpu_svn);
    bool good = cella_read_u64(&reader) == FLAGS_MASK;
    good = cella_read_u64(&reader) == XFRM_MASK && good;
    good = cella_read_u32(&reader) == MISC_MASK && good;
    good = cella_read_u32(&reader) == 0 && good;
    cella_read_copy(&reader, key.id, sizeof key.id);
    holder.flags = cella_read_u64(&reader);
    cella_read_copy(&reader, holder.identity, sizeof holder.identity);
    if (!reader.failed && version > INFO_VERSION)
        return cella_fail(error, CELLA_NEWER_FORMAT, "a key of the vault has format version %u, known is %u",
                          version, INFO_VERSION);
    if (!cella_reader_done(&reader) || version != INFO_VERSION || !good ||
        (holder.flags & ~FLAGS_MASK) != 0 ||
        (holder.key_policy != CELLA_KEY_POLICY_MRENCLAVE && holder.key_policy != CELLA_KEY_POLICY_MRSIGNER))
        return cella_fail(error, CELLA_DAMAGED, "these bytes do not name a key of a machine");
    enum cella_status status = check_holder(&holder, error);
    if (status == CELLA_OK)
        *ret_key = key;
    return status;
}

static void write_request(const struct key_id *key, uint8_t out[CELLA_KEY_REQUEST_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_KEY_REQUEST_SIZE);
    cella_write_u16(&writer, CELLA_KEY_NAME_SEAL);
    cella_write_u16(&writer, own.holder.key_policy);
    cella_write_u16(&writer, key->isv_svn);
    cella_write_u16(&writer, 0);
    cella_write_bytes(&writer, key->cpu_svn, sizeof key->cpu_svn);
    cella_write_u64(&writer, FLAGS_MASK);
    cella_write_u64(&writer, XFRM_MASK);
    cella_write_bytes(&writer, key->id, sizeof key->id);
    cella_write_u32(&writer, MISC_MASK);
    cella_write_zeros(&writer, CELLA_KEY_REQUEST_SIZE - writer.size);
    CELLA_ASSERT(!writer.failed);
}

/* EGETKEY, and from its 16 bytes the root key; all that was asked for is in the derivation once more. */
static enum cella_status get_key(const struct key_id *key, uint8_t ret_key[CELLA_ROOT_KEY_SIZE],
                                 struct cella_error *error) {
    uint8_t request[CELLA_KEY_REQUEST_SIZE];
    uint8_t sealing[CELLA_MACHINE_KEY_SIZE];
    uint8_t purpose[sizeof LABEL + CELLA_MACHINE_KEY_INFO_SIZE] = LABEL;
    write_request(key, request);
    write_info(key, purpose + sizeof LABEL);
    switch (cella_leaf_key(request, sealing)) {
    case 0:
        break;
    case SGX_INVALID_CPUSVN:
        return cella_fail(error, CELLA_KEY_CPU_SVN,
                          "the vault was sealed at a newer platform version than this machine has now");
    case SGX_INVALID_ISVSVN:
        return cella_fail(error, CELLA_KEY_ISV_SVN,
                          "the vault was sealed by security version %u, this image has %u",
                          (unsigned)key->isv_svn, (unsigned)own.isv_svn);
    default:
        return cella_fail(error, CELLA_INTERNAL, "the machine refused a well-formed key request");
    }
    enum cella_status status = cella_hkdf(CELLA_BYTES(NULL, 0), CELLA_BYTES(sealing, sizeof sealing),
                                          CELLA_BYTES(purpose, sizeof purpose), ret_key, CELLA_ROOT_KEY_SIZE);
    cella_wipe(sealing, sizeof sealing);
    return status == CELLA_OK ? CELLA_OK : cella_fail(error, status, "the vault's key cannot be derived");
}

static enum cella_status make_key(void *context, struct cella_key_info *ret_info,
                                  uint8_t ret_key[CELLA_ROOT_KEY_SIZE], struct cella_error *error) {
    struct key_id key = {.isv_svn = own.isv_svn};
    memcpy(key.cpu_svn, own.cpu_svn, sizeof key.cpu_svn);
    enum cella_status status = cella_random(key.id, sizeof key.id);
    if (status != CELLA_OK)
        return cella_fail(error, status, "no randomness for a key of the vault");
    status = get_key(&key, ret_key, error);
    if (status != CELLA_OK)
        return status;
    write_info(&key, ret_info->data);
    ret_info->size = CELLA_MACHINE_KEY_INFO_SIZE;
    return CELLA_OK;
}

static enum cella_status open_key(void *context, struct cella_bytes info,
                                  uint8_t ret_key[CELLA_ROOT_KEY_SIZE], bool *ret_outdated,
                                  struct cella_error *error) {
    struct key_id key;
    enum cella_status status = read_info(info, &key, error);
    if (status == CELLA_OK)
        status = get_key(&key, ret_key, error);
    /* The CPU gives no key above its own versions, so what differs is older. */
    if (status == CELLA_OK)
        *ret_outdated =
            key.isv_svn != own.isv_svn || memcmp(key.cpu_svn, own.cpu_svn, sizeof own.cpu_svn) != 0;
    return status;
}

static enum cella_status counter_failure(enum cella_status status, struct cella_error *error) {
    switch (status) {
    case CELLA_OK:
        return CELLA_OK;
    case CELLA_UNSUPPORTED:
        return cella_fail(
            error, status,
            "this machine has no counters, so no vault can be bound to it and its owner be known");
    case CELLA_NO_COUNTER:
        return cella_fail(error, status, "the machine has no counter of this vault");
    case CELLA_COUNTER_MOVED:
        return cella_fail(error, CELLA_FENCED,
                          "the machine's counter went on to another owner of this vault");
    default:
        return cella_fail(error, status, "the machine's counter of this vault: %s",
                          cella_status_sentence(status));
    }
}

static enum cella_status create_register(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                         struct cella_error *error) {
    return counter_failure(cella_leaf_counter_create(vault_id), error);
}

static enum cella_status read_register(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                       uint64_t *ret_epoch, uint8_t ret_mark[CELLA_MARK_SIZE],
                                       struct cella_error *error) {
    return counter_failure(cella_leaf_counter_read(vault_id, ret_epoch, ret_mark), error);
}

static enum cella_status acquire(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE], uint64_t epoch,
                                 const uint8_t mark[CELLA_MARK_SIZE], struct cella_error *error) {
    if (epoch == 0)
        return cella_fail(error, CELLA_ARGUMENT, "no owner has epoch 0");
    return counter_failure(cella_leaf_counter_increment(vault_id, epoch - 1, mark), error);
}

static enum cella_status advance(void *context, const uint8_t vault_id[CELLA_VAULT_ID_SIZE],
                                 const struct cella_head *head, struct cella_error *error) {
    uint64_t epoch = 0;
    enum cella_status status = counter_failure(cella_leaf_counter_read(vault_id, &epoch, NULL), error);
    if (status != CELLA_OK)
        return status;
    return epoch == head->epoch ? CELLA_OK : counter_failure(CELLA_COUNTER_MOVED, error);
}

const struct cella_key_source cella_machine_keys = {.name = "machine", .make = make_key, .open = open_key};

const struct cella_freshness_source cella_machine_freshness = {.name = "machine",
                                                               .guards_heads = false,
                                                               .create = create_register,
                                                               .read = read_register,
                                                               .acquire = acquire,
                                                               .advance = advance};
