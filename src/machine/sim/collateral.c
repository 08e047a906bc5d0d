/* Collateral of the simulated vendor. Must not publish what its state does not say. */
#include "machine/sim/collateral.h"
#include "base/calendar.h"
#include "base/error.h"
#include "base/hex.h"
#include "machine/sim/sim.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLLATERAL_SIZE_MAX 65536
#define HOUR                INT64_C(3600)
#define COMPONENTS          16
#define DATE_SIZE           32
#define ADVISORY_SIZE       32

static void print_month(unsigned version, char out[DATE_SIZE]) {
    int size = snprintf(out, DATE_SIZE, "2024-%02u-01T00:00:00Z", version);
    CELLA_ASSERT(size > 0 && size < DATE_SIZE);
}

/* Version v was superseded for the reasons in advisories v + 1 up to the required version. */
static json_t *make_advisories(unsigned version, unsigned required) {
    json_t *list = json_array();
    char id[ADVISORY_SIZE];
    for (unsigned i = version + 1; i <= required; i++) {
        int size = snprintf(id, sizeof id, "INSECURE-SIM-SA-%05u", i);
        CELLA_ASSERT(size > 0 && (size_t)size < sizeof id);
        json_array_append_new(list, json_string(id));
    }
    return list;
}

static json_t *make_level(unsigned version, unsigned required) {
    uint8_t svns[COMPONENTS];
    char date[DATE_SIZE];
    json_t *components = json_array();
    cella_sim_component_svns(version, svns);
    print_month(version, date);
    for (size_t i = 0; i < COMPONENTS; i++)
        json_array_append_new(components, json_pack("{s:i}", "svn", (int)svns[i]));
    json_t *level = json_pack("{s:{s:o,s:i},s:s,s:s}", "tcb", "sgxtcbcomponents", components, "pcesvn",
                              (int)cella_sim_pce_svn(version), "tcbDate", date, "tcbStatus",
                              version >= required ? "UpToDate" : "OutOfDate");
    if (version < required)
        json_object_set_new(level, "advisoryIDs", make_advisories(version, required));
    return level;
}

static json_t *make_tcb_info(const struct cella_sim_state *state, const char *issued, const char *next) {
    char fmspc[2 * CELLA_SIM_FMSPC_SIZE + 1];
    json_t *levels = json_array();
    cella_hex_encode(cella_sim_fmspc, sizeof cella_sim_fmspc, fmspc);
    for (char *digit = fmspc; *digit != '\0'; digit++)
        if (*digit >= 'a')
            *digit = (char)(*digit - 'a' + 'A');
    for (unsigned version = state->required_version; version >= 1; version--)
        json_array_append_new(levels, make_level(version, state->required_version));
    return json_pack("{s:s,s:i,s:s,s:s,s:s,s:s,s:i,s:i,s:o}", "id", "SGX", "version", 3, "issueDate", issued,
                     "nextUpdate", next, "fmspc", fmspc, "pceId", "0000", "tcbType", 0,
                     "tcbEvaluationDataNumber", (int)state->required_version, "tcbLevels", levels);
}

static json_t *make_qe_identity(const struct cella_sim_state *state, const char *issued, const char *next) {
    struct cella_machine_identity qe;
    char signer[2 * sizeof qe.code_signer + 1];
    cella_sim_qe_identity(&qe);
    cella_hex_encode(qe.code_signer, sizeof qe.code_signer, signer);
    json_t *levels = json_pack(
        "[{s:{s:i},s:s,s:s},{s:{s:i},s:s,s:s,s:[s]}]", "tcb", "isvsvn", (int)CELLA_SIM_QE_ISV_SVN, "tcbDate",
        "2024-01-01T00:00:00Z", "tcbStatus", "UpToDate", "tcb", "isvsvn", CELLA_SIM_QE_ISV_SVN - 1, "tcbDate",
        "2023-01-01T00:00:00Z", "tcbStatus", "OutOfDate", "advisoryIDs", "INSECURE-SIM-SA-00001");
    return json_pack("{s:s,s:i,s:s,s:s,s:i,s:s,s:s,s:s,s:s,s:s,s:i,s:o}", "id", "QE", "version", 2,
                     "issueDate", issued, "nextUpdate", next, "tcbEvaluationDataNumber",
                     (int)state->required_version, "miscselect", "00000000", "miscselectMask", "FFFFFFFF",
                     "attributes", "11000000000000000000000000000000", "attributesMask",
                     "FBFFFFFFFFFFFFFF0000000000000000", "mrsigner", signer, "isvprodid",
                     (int)CELLA_SIM_QE_ISV_PROD_ID, "tcbLevels", levels);
}

/* Writes {"NAME":BODY,"signature":"…"}, signed over the very text of BODY. Takes `body`. */
static enum cella_status write_signed(json_t *body, const char *name, const struct cella_ecdsa_key *key,
                                      struct cella_writer *writer) {
    uint8_t signature[CELLA_ECDSA_SIGNATURE_SIZE];
    char digits[2 * sizeof signature + 1];
    char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
    if (text == NULL)
        return CELLA_NO_MEMORY;
    size_t size = strlen(text);
    enum cella_status status = cella_ecdsa_sign(key, CELLA_BYTES(text, size), signature);
    if (status == CELLA_OK) {
        cella_hex_encode(signature, sizeof signature, digits);
        cella_write_bytes(writer, "{\"", 2);
        cella_write_bytes(writer, name, strlen(name));
        cella_write_bytes(writer, "\":", 2);
        cella_write_bytes(writer, text, size);
        cella_write_bytes(writer, ",\"signature\":\"", 14);
        cella_write_bytes(writer, digits, sizeof digits - 1);
        cella_write_bytes(writer, "\"}", 2);
    }
    free(text);
    return status;
}

static enum cella_status write_json(const struct cella_sim_state *state,
                                    struct cella_machine_collateral *collateral,
                                    struct cella_writer *writer) {
    char issued[CELLA_CALENDAR_TEXT_SIZE], next[CELLA_CALENDAR_TEXT_SIZE];
    struct cella_ecdsa_key *key = NULL;
    cella_calendar_print(collateral->issue_date, issued);
    cella_calendar_print(collateral->next_update, next);
    enum cella_status status = cella_sim_vendor_key(state->vendor_seed, CELLA_SIM_KEY_TCB_SIGNING, &key);
    size_t start = writer->size;
    if (status == CELLA_OK)
        status = write_signed(make_tcb_info(state, issued, next), "tcbInfo", key, writer);
    collateral->tcb_info = CELLA_BYTES(writer->data + start, writer->size - start);
    start = writer->size;
    if (status == CELLA_OK)
        status = write_signed(make_qe_identity(state, issued, next), "enclaveIdentity", key, writer);
    collateral->qe_identity = CELLA_BYTES(writer->data + start, writer->size - start);
    cella_ecdsa_key_free(key);
    return status;
}

static enum cella_status write_crl(const struct cella_sim_state *state, enum cella_sim_vendor_key which,
                                   const struct cella_machine_collateral *collateral,
                                   struct cella_writer *writer, struct cella_bytes *ret_crl) {
    size_t start = writer->size;
    struct cella_ecdsa_key *key = NULL;
    enum cella_status status = cella_sim_vendor_key(state->vendor_seed, which, &key);
    if (status != CELLA_OK)
        return status;
    struct cella_x509_crl_template template = {
        .issuer = {which == CELLA_SIM_KEY_ROOT ? CELLA_SIM_NAME_ROOT : CELLA_SIM_NAME_CA,
                   CELLA_SIM_ORGANIZATION},
        /* Grows with time, so that a verifier's floor works. */
        .number = (uint64_t)collateral->issue_date,
        .this_update = collateral->issue_date,
        .next_update = collateral->next_update};
    status = cella_x509_issue_crl(&template, key, writer);
    cella_ecdsa_key_free(key);
    if (status == CELLA_OK)
        *ret_crl = CELLA_BYTES(writer->data + start, writer->size - start);
    return status;
}

static enum cella_status write_chain(const struct cella_sim_state *state,
                                     struct cella_machine_collateral *collateral,
                                     struct cella_writer *writer) {
    size_t start = writer->size;
    enum cella_status status = cella_x509_certificate_pem(state->tcb_signing, writer);
    if (status == CELLA_OK)
        status = cella_x509_certificate_pem(state->root, writer);
    collateral->signing_chain = CELLA_BYTES(writer->data + start, writer->size - start);
    return status;
}

int64_t cella_sim_issue_date(const struct cella_sim_state *state, int64_t now) {
    if (state->frozen_issue_date != 0)
        return state->frozen_issue_date;
    if (now < CELLA_SIM_NOT_BEFORE || now > CELLA_SIM_NOT_AFTER)
        return 0; /* which the vendor refuses: nothing overflows on the way there */
    return now - now % HOUR - HOUR;
}

enum cella_status cella_sim_collateral_issue(const struct cella_sim_state *state, int64_t issue_date,
                                             struct cella_machine_collateral **ret_collateral,
                                             struct cella_error *error) {
    struct cella_writer writer;
    if (issue_date < CELLA_SIM_NOT_BEFORE || issue_date > CELLA_SIM_NOT_AFTER - CELLA_SIM_COLLATERAL_LIFE)
        return cella_fail(error, CELLA_ARGUMENT,
                          "the simulated vendor issues collateral from 2023 to 2049 only");
    struct cella_machine_collateral *made = malloc(sizeof *made + COLLATERAL_SIZE_MAX);
    if (made == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for collateral");
    memset(made, 0, sizeof *made);
    made->issue_date = issue_date;
    made->next_update = issue_date + CELLA_SIM_COLLATERAL_LIFE;
    cella_writer_init(&writer, (uint8_t *)(made + 1), COLLATERAL_SIZE_MAX);
    enum cella_status status = write_json(state, made, &writer);
    if (status == CELLA_OK)
        status = write_chain(state, made, &writer);
    if (status == CELLA_OK)
        status = write_crl(state, CELLA_SIM_KEY_ROOT, made, &writer, &made->root_crl);
    if (status == CELLA_OK)
        status = write_crl(state, CELLA_SIM_KEY_CA, made, &writer, &made->pck_crl);
    if (status == CELLA_OK && writer.failed)
        status = CELLA_INTERNAL;
    if (status != CELLA_OK) {
        free(made);
        return cella_fail(error, status, "the simulated vendor could not issue collateral");
    }
    *ret_collateral = made;
    return CELLA_OK;
}

static struct cella_bytes moved(struct cella_bytes view, const void *from, void *to) {
    return CELLA_BYTES((uint8_t *)to + (view.data - (const uint8_t *)from), view.size);
}

static struct cella_machine_collateral *copy_of(const struct cella_machine_collateral *from) {
    size_t used = (size_t)(from->pck_crl.data + from->pck_crl.size - (const uint8_t *)from);
    struct cella_machine_collateral *copy = malloc(used);
    if (copy == NULL)
        return NULL;
    memcpy(copy, from, used);
    copy->tcb_info = moved(from->tcb_info, from, copy);
    copy->qe_identity = moved(from->qe_identity, from, copy);
    copy->signing_chain = moved(from->signing_chain, from, copy);
    copy->root_crl = moved(from->root_crl, from, copy);
    copy->pck_crl = moved(from->pck_crl, from, copy);
    return copy;
}

static enum cella_status fetch(struct cella_sim *sim, int64_t now,
                               struct cella_machine_collateral **ret_collateral, struct cella_error *error) {
    enum cella_status status = cella_sim_refresh(sim, error);
    if (status != CELLA_OK)
        return status;
    struct cella_sim_quoting *quoting = sim->quoting;
    int64_t issue_date = cella_sim_issue_date(&quoting->state, now);
    if (quoting->collateral == NULL || quoting->collateral->issue_date != issue_date) {
        struct cella_machine_collateral *made = NULL;
        status = cella_sim_collateral_issue(&quoting->state, issue_date, &made, error);
        if (status != CELLA_OK)
            return status;
        cella_machine_collateral_free(quoting->collateral);
        quoting->collateral = made;
    }
    struct cella_machine_collateral *copy = copy_of(quoting->collateral);
    if (copy == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory for collateral");
    *ret_collateral = copy;
    return CELLA_OK;
}

enum cella_status cella_sim_collateral(struct cella_machine *machine, int64_t now,
                                       struct cella_machine_collateral **ret_collateral,
                                       struct cella_error *error) {
    struct cella_sim *sim = (struct cella_sim *)machine;
    pthread_mutex_lock(&sim->mutex);
    enum cella_status status = fetch(sim, now, ret_collateral, error);
    pthread_mutex_unlock(&sim->mutex);
    return status;
}
