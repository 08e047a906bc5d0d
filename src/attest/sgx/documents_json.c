/* The only file of verification that knows jansson. Reads documents whose signature the caller has checked.
 * Must not accept a duplicate key or anything after the object. */
#include "attest/sgx/documents.h"
#include "base/calendar.h"
#include "base/hex.h"
#include <jansson.h>
#include <string.h>

static bool read_hex(const json_t *object, const char *key, uint8_t *out, size_t size) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) &&
           cella_hex_decode(json_string_value(value), json_string_length(value), out, size) == CELLA_OK;
}

static bool read_number(const json_t *object, const char *key, uint64_t limit, uint64_t *ret_number) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) > limit)
        return false;
    *ret_number = (uint64_t)json_integer_value(value);
    return true;
}

static bool read_date(const json_t *object, const char *key, int64_t *ret_seconds) {
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) &&
           cella_calendar_parse(CELLA_BYTES(json_string_value(value), json_string_length(value)),
                                ret_seconds) == CELLA_OK;
}

static bool equals(const json_t *value, const char *text) {
    return json_is_string(value) && json_string_length(value) == strlen(text) &&
           strcmp(json_string_value(value), text) == 0;
}

static bool is_text(const json_t *object, const char *key, const char *text) {
    return equals(json_object_get(object, key), text);
}

static bool read_status(const json_t *object, enum cella_tcb_status *ret_status) {
    const json_t *value = json_object_get(object, "tcbStatus");
    for (int status = CELLA_TCB_UP_TO_DATE; status <= CELLA_TCB_REVOKED; status++)
        if (equals(value, cella_tcb_status_name((enum cella_tcb_status)status))) {
            *ret_status = (enum cella_tcb_status)status;
            return true;
        }
    return false;
}

/* Version 3: a list of exactly 16 objects {"svn":…}. */
static bool read_component_list(const json_t *tcb, struct cella_sgx_level *level) {
    const json_t *list = json_object_get(tcb, "sgxtcbcomponents");
    uint64_t number = 0;
    if (!json_is_array(list) || json_array_size(list) != CELLA_SGX_COMPONENTS)
        return false;
    for (size_t at = 0; at < CELLA_SGX_COMPONENTS; at++) {
        if (!read_number(json_array_get(list, at), "svn", UINT8_MAX, &number))
            return false;
        level->component_svn[at] = (uint8_t)number;
    }
    return true;
}

/* Version 2: sixteen keys. */
static bool read_component_keys(const json_t *tcb, struct cella_sgx_level *level) {
    uint64_t number = 0;
    for (size_t at = 0; at < CELLA_SGX_COMPONENTS; at++) {
        static const char keys[CELLA_SGX_COMPONENTS][16] = {
            "sgxtcbcomp01svn", "sgxtcbcomp02svn", "sgxtcbcomp03svn", "sgxtcbcomp04svn",
            "sgxtcbcomp05svn", "sgxtcbcomp06svn", "sgxtcbcomp07svn", "sgxtcbcomp08svn",
            "sgxtcbcomp09svn", "sgxtcbcomp10svn", "sgxtcbcomp11svn", "sgxtcbcomp12svn",
            "sgxtcbcomp13svn", "sgxtcbcomp14svn", "sgxtcbcomp15svn", "sgxtcbcomp16svn"};
        if (!read_number(tcb, keys[at], UINT8_MAX, &number))
            return false;
        level->component_svn[at] = (uint8_t)number;
    }
    return true;
}

/* `version` 0: a level of a QE identity, which has one number. */
static bool read_level(const json_t *from, uint64_t version, struct cella_sgx_level *level) {
    const json_t *tcb = json_object_get(from, "tcb");
    uint64_t number = 0;
    bool good =
        json_is_object(tcb) && read_number(tcb, version == 0 ? "isvsvn" : "pcesvn", UINT16_MAX, &number);
    level->svn = (uint16_t)number;
    if (good && version != 0)
        good = version == 2 ? read_component_keys(tcb, level) : read_component_list(tcb, level);
    level->advisories = json_object_get(from, "advisoryIDs");
    return good && read_status(from, &level->status) && read_date(from, "tcbDate", &level->date);
}

static enum cella_status read_document(const json_t *root, uint64_t version,
                                       struct cella_sgx_document *document) {
    uint64_t number = 0;
    const json_t *levels = json_object_get(root, "tcbLevels");
    if (!read_date(root, "issueDate", &document->issue_date) ||
        !read_date(root, "nextUpdate", &document->next_update) ||
        !read_number(root, "tcbEvaluationDataNumber", UINT32_MAX, &number) || !json_is_array(levels))
        return CELLA_DAMAGED;
    document->evaluation_number = (uint32_t)number;
    if (json_array_size(levels) > CELLA_SGX_LEVELS_MAX)
        return CELLA_LIMIT;
    for (size_t at = 0; at < json_array_size(levels); at++)
        if (!read_level(json_array_get(levels, at), version, &document->levels[document->level_count++]))
            return CELLA_DAMAGED;
    return CELLA_OK;
}

static enum cella_status read_tcb_info(const json_t *root, struct cella_sgx_tcb_info *tcb_info) {
    uint64_t version = 0;
    uint64_t type = 0;
    bool has_id = json_object_get(root, "id") != NULL;
    if (!read_number(root, "version", UINT32_MAX, &version) ||
        !read_number(root, "tcbType", UINT32_MAX, &type))
        return CELLA_DAMAGED;
    if ((version != 2 && version != 3) || type != 0 || (has_id && !is_text(root, "id", "SGX")) ||
        (version == 3 && !has_id))
        return CELLA_COLLATERAL_MISMATCH;
    if (!read_hex(root, "fmspc", tcb_info->fmspc, sizeof tcb_info->fmspc) ||
        !read_hex(root, "pceId", tcb_info->pce_id, sizeof tcb_info->pce_id))
        return CELLA_DAMAGED;
    return read_document(root, version, &tcb_info->document);
}

static enum cella_status read_qe_identity(const json_t *root, struct cella_sgx_qe_identity *identity) {
    uint64_t version = 0;
    uint64_t product = 0;
    if (!read_number(root, "version", UINT32_MAX, &version))
        return CELLA_DAMAGED;
    if (version != 2 || !is_text(root, "id", "QE"))
        return CELLA_COLLATERAL_MISMATCH;
    if (!read_hex(root, "miscselect", identity->misc_select, sizeof identity->misc_select) ||
        !read_hex(root, "miscselectMask", identity->misc_select_mask, sizeof identity->misc_select_mask) ||
        !read_hex(root, "attributes", identity->attributes, sizeof identity->attributes) ||
        !read_hex(root, "attributesMask", identity->attributes_mask, sizeof identity->attributes_mask) ||
        !read_hex(root, "mrsigner", identity->mr_signer, sizeof identity->mr_signer) ||
        !read_number(root, "isvprodid", UINT16_MAX, &product))
        return CELLA_DAMAGED;
    identity->isv_prod_id = (uint16_t)product;
    return read_document(root, 0, &identity->document);
}

static json_t *load(struct cella_bytes inner) {
    json_t *root = json_loadb((const char *)inner.data, inner.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }
    return root;
}

enum cella_status cella_sgx_tcb_info_parse(struct cella_bytes inner,
                                           struct cella_sgx_tcb_info *ret_tcb_info) {
    *ret_tcb_info = (struct cella_sgx_tcb_info){0};
    json_t *root = load(inner);
    if (root == NULL)
        return CELLA_DAMAGED;
    ret_tcb_info->document.json = root;
    enum cella_status status = read_tcb_info(root, ret_tcb_info);
    if (status != CELLA_OK)
        cella_sgx_document_deinit(&ret_tcb_info->document);
    return status;
}

enum cella_status cella_sgx_qe_identity_parse(struct cella_bytes inner,
                                              struct cella_sgx_qe_identity *ret_qe_identity) {
    *ret_qe_identity = (struct cella_sgx_qe_identity){0};
    json_t *root = load(inner);
    if (root == NULL)
        return CELLA_DAMAGED;
    ret_qe_identity->document.json = root;
    enum cella_status status = read_qe_identity(root, ret_qe_identity);
    if (status != CELLA_OK)
        cella_sgx_document_deinit(&ret_qe_identity->document);
    return status;
}

void cella_sgx_document_deinit(struct cella_sgx_document *document) {
    json_decref(document->json);
    *document = (struct cella_sgx_document){0};
}

static bool is_printable(const char *text, size_t size) {
    for (size_t at = 0; at < size; at++)
        if (text[at] < 0x21 || text[at] > 0x7e)
            return false;
    return size > 0;
}

enum cella_status cella_sgx_advisories_read(const void *advisories, struct cella_advisories *ret_advisories) {
    const json_t *list = advisories;
    struct cella_advisories read = {0};
    if (list == NULL) {
        *ret_advisories = read;
        return CELLA_OK;
    }
    if (!json_is_array(list))
        return CELLA_DAMAGED;
    if (json_array_size(list) > CELLA_ADVISORIES_MAX)
        return CELLA_LIMIT;
    for (size_t at = 0; at < json_array_size(list); at++) {
        const json_t *id = json_array_get(list, at);
        if (!json_is_string(id) || json_string_length(id) >= CELLA_ADVISORY_SIZE_MAX ||
            !is_printable(json_string_value(id), json_string_length(id)))
            return CELLA_DAMAGED;
        memcpy(read.ids[read.count++], json_string_value(id), json_string_length(id) + 1);
    }
    *ret_advisories = read;
    return CELLA_OK;
}
