/* Fork evidence: bytes, the vault's testimony, and what it proves to whoever has nothing but the file. Must
 * not: trust any field before the vault's signatures were checked. */
#include "state/evidence.h"
#include "base/error.h"
#include "base/reader.h"
#include "base/writer.h"
#include <stdio.h>
#include <string.h>

#define MAGIC          "CVFE"
#define VERSION        1
#define LABEL          "cella/vault/fork/1" /* signed with its terminator */
#define TESTIMONY_SIZE (sizeof LABEL + 2 * CELLA_SIGNED_HEAD_SIZE)

void cella_fork_evidence_init(struct cella_fork_evidence *ret_evidence, struct cella_bytes genesis,
                              const struct cella_signed_head *one, const struct cella_signed_head *other) {
    bool ordered = one->lineage == other->lineage ? one->head.version <= other->head.version
                                                  : one->lineage < other->lineage;
    CELLA_ASSERT(genesis.size <= CELLA_GENESIS_SIZE_MAX);
    memset(ret_evidence, 0, sizeof *ret_evidence);
    memcpy(ret_evidence->genesis, genesis.data, genesis.size);
    ret_evidence->genesis_size = genesis.size;
    ret_evidence->reason = CELLA_FORK_BY_HEADS;
    ret_evidence->first = ordered ? *one : *other;
    ret_evidence->second = ordered ? *other : *one;
}

static struct cella_bytes testimony_message(const struct cella_fork_evidence *evidence,
                                            uint8_t out[TESTIMONY_SIZE]) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, TESTIMONY_SIZE);
    cella_write_bytes(&writer, LABEL, sizeof LABEL);
    cella_signed_head_append(&writer, &evidence->first);
    cella_signed_head_append(&writer, &evidence->second);
    return cella_writer_bytes(&writer);
}

enum cella_status cella_fork_evidence_testify(struct cella_fork_evidence *evidence,
                                              const struct cella_ed25519_key *vault_key) {
    uint8_t message[TESTIMONY_SIZE];
    enum cella_status status =
        cella_ed25519_sign(vault_key, testimony_message(evidence, message), evidence->testimony);
    if (status == CELLA_OK)
        evidence->reason = CELLA_FORK_BY_TESTIMONY;
    return status;
}

size_t cella_fork_evidence_write(const struct cella_fork_evidence *evidence, uint8_t *out) {
    struct cella_writer writer;
    cella_writer_init(&writer, out, CELLA_FORK_EVIDENCE_SIZE_MAX);
    cella_write_bytes(&writer, MAGIC, 4);
    cella_write_u16(&writer, VERSION);
    cella_write_u8(&writer, (uint8_t)evidence->reason);
    cella_write_u8(&writer, 0);
    cella_write_sized(&writer, CELLA_BYTES(evidence->genesis, evidence->genesis_size));
    cella_signed_head_append(&writer, &evidence->first);
    cella_signed_head_append(&writer, &evidence->second);
    if (evidence->reason == CELLA_FORK_BY_PROOF)
        cella_write_sized(&writer, CELLA_BYTES(evidence->proof, evidence->proof_count * CELLA_DIGEST_SIZE));
    if (evidence->reason == CELLA_FORK_BY_TESTIMONY)
        cella_write_bytes(&writer, evidence->testimony, sizeof evidence->testimony);
    CELLA_ASSERT(!writer.failed);
    return writer.size;
}

static void read_reason(struct cella_reader *reader, struct cella_fork_evidence *evidence) {
    if (evidence->reason == CELLA_FORK_BY_PROOF) {
        struct cella_bytes proof = cella_read_sized(reader, sizeof evidence->proof);
        evidence->proof_count = proof.size / CELLA_DIGEST_SIZE;
        if (proof.size == 0 || proof.size % CELLA_DIGEST_SIZE != 0)
            reader->failed = true;
        else
            memcpy(evidence->proof, proof.data, proof.size);
    }
    if (evidence->reason == CELLA_FORK_BY_TESTIMONY)
        cella_read_copy(reader, evidence->testimony, sizeof evidence->testimony);
}

enum cella_status cella_fork_evidence_parse(struct cella_bytes bytes,
                                            struct cella_fork_evidence *ret_evidence,
                                            struct cella_error *error) {
    struct cella_fork_evidence evidence = {0};
    struct cella_reader reader;
    cella_reader_init(&reader, bytes);
    const uint8_t *magic = cella_read_view(&reader, 4);
    uint16_t version = cella_read_u16(&reader);
    if (reader.failed || memcmp(magic, MAGIC, 4) != 0)
        return cella_fail(error, CELLA_DAMAGED, "fork evidence: it does not start as one");
    if (version != VERSION)
        return cella_fail(error, version > VERSION ? CELLA_NEWER_FORMAT : CELLA_DAMAGED,
                          "fork evidence: version %u is not known", (unsigned)version);
    unsigned reason = cella_read_u8(&reader);
    if (!reader.failed && (reason < CELLA_FORK_BY_HEADS || reason > CELLA_FORK_BY_TESTIMONY))
        return cella_fail(error, CELLA_DAMAGED, "fork evidence: reason %u is not known", reason);
    evidence.reason = (enum cella_fork_reason)reason;
    cella_read_zeros(&reader, 1);
    struct cella_bytes genesis = cella_read_sized(&reader, CELLA_GENESIS_SIZE_MAX);
    if (genesis.size > 0)
        memcpy(evidence.genesis, genesis.data, genesis.size);
    evidence.genesis_size = genesis.size;
    enum cella_status status = cella_signed_head_read(&reader, &evidence.first, error);
    if (status == CELLA_OK)
        status = cella_signed_head_read(&reader, &evidence.second, error);
    if (status != CELLA_OK)
        return status;
    read_reason(&reader, &evidence);
    if (!cella_reader_done(&reader))
        return cella_fail(error, CELLA_DAMAGED, "fork evidence: it is cut, or longer than its fields");
    *ret_evidence = evidence;
    return CELLA_OK;
}

#define NOTHING(...) cella_fail(error, CELLA_EVIDENCE_PROVES_NOTHING, __VA_ARGS__)

/* Both heads are of the genesis's vault and signed by its key. */
static enum cella_status verify_heads(const struct cella_fork_evidence *evidence,
                                      const struct cella_genesis *genesis, struct cella_error *error) {
    uint8_t vault_id[CELLA_VAULT_ID_SIZE];
    const struct cella_signed_head *heads[] = {&evidence->first, &evidence->second};
    static const char *const names[] = {"first", "second"};
    cella_genesis_vault_id(CELLA_BYTES(evidence->genesis, evidence->genesis_size), vault_id);
    for (unsigned i = 0; i < 2; i++) {
        if (memcmp(heads[i]->vault_id, vault_id, sizeof vault_id) != 0)
            return NOTHING("the %s head is of another vault than the genesis", names[i]);
        if (cella_signed_head_verify(heads[i], genesis->signing_key) != CELLA_OK)
            return NOTHING("the vault did not sign the %s head", names[i]);
    }
    return CELLA_OK;
}

static enum cella_status verify_proof(const struct cella_fork_evidence *evidence, struct cella_error *error) {
    uint8_t from_root[CELLA_DIGEST_SIZE];
    uint8_t to_root[CELLA_DIGEST_SIZE];
    struct cella_bytes proof = CELLA_BYTES(evidence->proof, evidence->proof_count * CELLA_DIGEST_SIZE);
    if (cella_tree_consistency(evidence->first.head.version, evidence->second.head.version, proof, from_root,
                               to_root) != CELLA_OK ||
        memcmp(to_root, evidence->second.root, sizeof to_root) != 0)
        return NOTHING("the proof does not lead to the second head");
    if (memcmp(from_root, evidence->first.root, sizeof from_root) == 0)
        return NOTHING("the proof shows that the second head continues the first");
    return CELLA_OK;
}

static enum cella_status verify_testimony(const struct cella_fork_evidence *evidence,
                                          const struct cella_genesis *genesis, struct cella_error *error) {
    uint8_t message[TESTIMONY_SIZE];
    if (cella_ed25519_verify(genesis->signing_key, testimony_message(evidence, message),
                             evidence->testimony) != CELLA_OK)
        return NOTHING("the vault did not testify to these heads");
    return CELLA_OK;
}

static enum cella_status verify_reason(const struct cella_fork_evidence *evidence,
                                       const struct cella_genesis *genesis, struct cella_error *error) {
    switch (cella_heads_compare(&evidence->first, &evidence->second)) {
    case CELLA_HEADS_INCOMPARABLE:
        if (evidence->reason == CELLA_FORK_BY_TESTIMONY && evidence->first.lineage < evidence->second.lineage)
            break;
        return NOTHING("the heads are of two lineages: a restore lies between them");
    case CELLA_HEADS_EQUAL:
        return NOTHING("both heads are the same");
    case CELLA_HEADS_NEWER:
        return NOTHING("the heads are not in the order of their versions");
    case CELLA_HEADS_CONTRADICT:
        if (evidence->reason != CELLA_FORK_BY_HEADS)
            return NOTHING("the heads contradict each other, and something else is said");
        if (evidence->first.head.version > evidence->second.head.version)
            return NOTHING("the heads are not in the order of their versions");
        return CELLA_OK;
    case CELLA_HEADS_OLDER:
        break;
    }
    if (evidence->reason == CELLA_FORK_BY_PROOF)
        return verify_proof(evidence, error);
    if (evidence->reason == CELLA_FORK_BY_TESTIMONY)
        return verify_testimony(evidence, genesis, error);
    return NOTHING("one history can hold both heads");
}

static void describe(const struct cella_fork_evidence *evidence, char *text, size_t size) {
    static const char *const reasons[] = {
        [CELLA_FORK_BY_HEADS] = "contradict each other",
        [CELLA_FORK_BY_PROOF] = "are of two histories: the newer one had another state at the older version",
        [CELLA_FORK_BY_TESTIMONY] =
            "are of two histories: the vault testifies that it stood at the older one "
            "when it was shown the newer one",
    };
    (void)snprintf(
        text, size, "version %llu of epoch %llu and version %llu of epoch %llu, both signed by the vault, %s",
        (unsigned long long)evidence->first.head.version, (unsigned long long)evidence->first.head.epoch,
        (unsigned long long)evidence->second.head.version, (unsigned long long)evidence->second.head.epoch,
        reasons[evidence->reason]);
}

enum cella_status cella_fork_evidence_verify(const struct cella_fork_evidence *evidence, char *text,
                                             size_t text_size, struct cella_error *error) {
    struct cella_genesis genesis;
    struct cella_error inner = {0};
    if (cella_genesis_parse(CELLA_BYTES(evidence->genesis, evidence->genesis_size), &genesis, &inner) !=
        CELLA_OK)
        return NOTHING("%s", inner.message);
    enum cella_status status = verify_heads(evidence, &genesis, error);
    if (status == CELLA_OK)
        status = verify_reason(evidence, &genesis, error);
    if (status == CELLA_OK && text != NULL)
        describe(evidence, text, text_size);
    return status;
}
