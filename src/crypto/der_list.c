/* Lists of (object identifier, value): reading. Must not know what the identifiers mean. */
#include "crypto/x509.h"
#include "crypto/x509_asn1.h"
#include <openssl/asn1t.h>
#include <string.h>

typedef struct {
    ASN1_OBJECT *oid;
    ASN1_TYPE *value;
} CELLA_ITEM;

DEFINE_STACK_OF(CELLA_ITEM)

/* clang-format off */
ASN1_SEQUENCE(CELLA_ITEM) = {
    ASN1_SIMPLE(CELLA_ITEM, oid, ASN1_OBJECT),
    ASN1_SIMPLE(CELLA_ITEM, value, ASN1_ANY),
} static_ASN1_SEQUENCE_END(CELLA_ITEM)

ASN1_ITEM_TEMPLATE(CELLA_ITEMS) =
    ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, items, CELLA_ITEM)
static_ASN1_ITEM_TEMPLATE_END(CELLA_ITEMS)
    /* clang-format on */

    static bool read_item(const CELLA_ITEM *from, struct cella_der_item *item) {
    const ASN1_TYPE *value = from->value;
    item->oid = cella_asn1_oid(from->oid);
    switch (value->type) {
    case V_ASN1_BOOLEAN:
        item->tag = CELLA_DER_TAG_BOOLEAN;
        item->number = value->value.boolean != 0;
        return true;
    case V_ASN1_INTEGER:
        item->tag = CELLA_DER_TAG_INTEGER;
        return ASN1_INTEGER_get_uint64(&item->number, value->value.integer) == 1;
    case V_ASN1_ENUMERATED: {
        int64_t number = 0;
        item->tag = CELLA_DER_TAG_ENUMERATED;
        bool good = ASN1_ENUMERATED_get_int64(&number, value->value.enumerated) == 1 && number >= 0;
        item->number = (uint64_t)number;
        return good;
    }
    case V_ASN1_OCTET_STRING:
        item->tag = CELLA_DER_TAG_OCTETS;
        item->value = cella_asn1_view(value->value.octet_string);
        return true;
    case V_ASN1_SEQUENCE:
        item->tag = CELLA_DER_TAG_SEQUENCE;
        item->value = cella_asn1_view(value->value.sequence);
        return true;
    default:
        return false;
    }
}

enum cella_status cella_der_list_parse(struct cella_bytes der, struct cella_der_list *ret_list) {
    struct cella_der_list list = {0};
    STACK_OF(CELLA_ITEM) *items = (STACK_OF(CELLA_ITEM) *)cella_asn1_decode(der, ASN1_ITEM_rptr(CELLA_ITEMS));
    if (items == NULL)
        return CELLA_DAMAGED;
    list.decoded = items;
    bool good = sk_CELLA_ITEM_num(items) <= CELLA_DER_ITEMS_MAX;
    for (int at = 0; good && at < sk_CELLA_ITEM_num(items); at++)
        good = read_item(sk_CELLA_ITEM_value(items, at), &list.items[list.count++]);
    if (!good) {
        cella_der_list_deinit(&list);
        return CELLA_DAMAGED;
    }
    *ret_list = list;
    return CELLA_OK;
}

void cella_der_list_deinit(struct cella_der_list *list) {
    ASN1_item_free(list->decoded, ASN1_ITEM_rptr(CELLA_ITEMS));
    *list = (struct cella_der_list){0};
}

const struct cella_der_item *cella_der_list_find(const struct cella_der_list *list, struct cella_bytes oid) {
    const struct cella_der_item *found = NULL;
    for (size_t at = 0; at < list->count; at++) {
        if (list->items[at].oid.size != oid.size || memcmp(list->items[at].oid.data, oid.data, oid.size) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = &list->items[at];
    }
    return found;
}
