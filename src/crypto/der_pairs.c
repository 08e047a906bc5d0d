/* The list of (object identifier, value) that Intel's certificate extension is. Must not know its meaning. */
#include "crypto/x509_build.h"
#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>

typedef struct {
    ASN1_OBJECT *oid;
    ASN1_TYPE *value;
} CELLA_PAIR;

ASN1_SEQUENCE(CELLA_PAIR) = {ASN1_SIMPLE(CELLA_PAIR, oid, ASN1_OBJECT),
                             ASN1_SIMPLE(CELLA_PAIR, value, ASN1_ANY)} static_ASN1_SEQUENCE_END(CELLA_PAIR)

    DEFINE_STACK_OF(CELLA_PAIR)

        ASN1_ITEM_TEMPLATE(CELLA_PAIRS) = ASN1_EX_TEMPLATE_TYPE(ASN1_TFLG_SEQUENCE_OF, 0, pairs, CELLA_PAIR)
            static_ASN1_ITEM_TEMPLATE_END(CELLA_PAIRS)

                static void pair_free(CELLA_PAIR * pair) {
    ASN1_item_free((ASN1_VALUE *)pair, ASN1_ITEM_rptr(CELLA_PAIR));
}

/* ASN1_TYPE takes ownership of what it is given; FALSE leaves it with us. */
static bool set_string(ASN1_TYPE *value, int type, struct cella_bytes bytes) {
    ASN1_STRING *string = ASN1_STRING_type_new(type);
    if (string == NULL || ASN1_STRING_set(string, bytes.data, (int)bytes.size) != 1) {
        ASN1_STRING_free(string);
        return false;
    }
    ASN1_TYPE_set(value, type, string);
    return true;
}

static bool set_number(ASN1_TYPE *value, const struct cella_der_pair *from) {
    bool integer = from->type == CELLA_DER_INTEGER;
    ASN1_STRING *number = integer ? ASN1_INTEGER_new() : ASN1_ENUMERATED_new();
    bool good = number != NULL && (integer ? ASN1_INTEGER_set_uint64(number, from->number)
                                           : ASN1_ENUMERATED_set_int64(number, from->number)) == 1;
    if (!good) {
        ASN1_STRING_free(number);
        return false;
    }
    ASN1_TYPE_set(value, integer ? V_ASN1_INTEGER : V_ASN1_ENUMERATED, number);
    return true;
}

static bool set_value(ASN1_TYPE *value, const struct cella_der_pair *from) {
    static uint8_t true_marker;
    switch (from->type) {
    case CELLA_DER_INTEGER:
    case CELLA_DER_ENUMERATED:
        return set_number(value, from);
    case CELLA_DER_BOOLEAN:
        ASN1_TYPE_set(value, V_ASN1_BOOLEAN, from->number != 0 ? &true_marker : NULL);
        return true;
    case CELLA_DER_OCTETS:
        return set_string(value, V_ASN1_OCTET_STRING, from->bytes);
    case CELLA_DER_LIST:
        return set_string(value, V_ASN1_SEQUENCE, from->bytes);
    default:
        return false;
    }
}

static CELLA_PAIR *make_pair(const struct cella_der_pair *from) {
    CELLA_PAIR *pair = (CELLA_PAIR *)ASN1_item_new(ASN1_ITEM_rptr(CELLA_PAIR));
    if (pair == NULL)
        return NULL;
    ASN1_OBJECT_free(pair->oid);
    pair->oid = OBJ_txt2obj(from->oid, 1);
    if (pair->oid == NULL || !set_value(pair->value, from)) {
        pair_free(pair);
        return NULL;
    }
    return pair;
}

enum cella_status cella_der_pairs(const struct cella_der_pair *pairs, size_t count,
                                  struct cella_writer *writer) {
    enum cella_status status = CELLA_OK;
    STACK_OF(CELLA_PAIR) *list = sk_CELLA_PAIR_new_null();
    for (size_t i = 0; list != NULL && status == CELLA_OK && i < count; i++) {
        CELLA_PAIR *pair = make_pair(&pairs[i]);
        if (pair == NULL || sk_CELLA_PAIR_push(list, pair) <= 0) {
            if (pair != NULL)
                pair_free(pair);
            status = CELLA_ARGUMENT;
        }
    }
    if (list == NULL)
        status = CELLA_NO_MEMORY;
    if (status == CELLA_OK) {
        uint8_t *der = NULL;
        int size = ASN1_item_i2d((const ASN1_VALUE *)list, &der, ASN1_ITEM_rptr(CELLA_PAIRS));
        if (size > 0) {
            cella_write_bytes(writer, der, (size_t)size);
            status = writer->failed ? CELLA_TOO_SMALL : CELLA_OK;
        } else {
            status = CELLA_CRYPTO;
        }
        OPENSSL_free(der);
    }
    sk_CELLA_PAIR_pop_free(list, pair_free);
    ERR_clear_error();
    return status;
}
