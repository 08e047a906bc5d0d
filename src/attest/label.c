/* Framing of signed messages: a label keeps a signature for one purpose from counting for another. */
#include "attest/label.h"
#include "base/error.h"
#include "base/writer.h"
#include <stdlib.h>
#include <string.h>

#define DOMAIN      "cella/sign/1"
#define MESSAGE_MAX (16U << 20)

enum cella_status cella_label_frame(const char *label, struct cella_bytes message, uint8_t **ret_data,
                                    size_t *ret_size, struct cella_error *error) {
    size_t label_size = strnlen(label, CELLA_LABEL_SIZE_MAX + 1);
    struct cella_writer writer;
    if (label_size == 0 || label_size > CELLA_LABEL_SIZE_MAX)
        return cella_fail(error, CELLA_ARGUMENT, "a label has 1 to %d characters", CELLA_LABEL_SIZE_MAX);
    for (size_t at = 0; at < label_size; at++)
        if (label[at] < 0x20 || label[at] > 0x7e)
            return cella_fail(error, CELLA_ARGUMENT, "a label has printable characters only");
    if (message.size > MESSAGE_MAX)
        return cella_fail(error, CELLA_LIMIT, "a signed message has at most %u bytes", MESSAGE_MAX);
    size_t size = sizeof DOMAIN + label_size + 1 + message.size;
    uint8_t *data = malloc(size);
    if (data == NULL)
        return cella_fail(error, CELLA_NO_MEMORY, "no memory to frame a message of %zu bytes", message.size);
    cella_writer_init(&writer, data, size);
    cella_write_bytes(&writer, DOMAIN, sizeof DOMAIN);
    cella_write_bytes(&writer, label, label_size + 1);
    cella_write_bytes(&writer, message.data, message.size);
    CELLA_ASSERT(!writer.failed && writer.size == size);
    *ret_data = data;
    *ret_size = size;
    return CELLA_OK;
}
