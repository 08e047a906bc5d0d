/* enclave.conf, the text form of the settings (docs/enclave-conf.md). Host side only. */
#ifndef CELLA_IMAGE_CONF_H
#define CELLA_IMAGE_CONF_H

#include "image/settings.h"

#define CELLA_CONF_SIZE_LIMIT (1024 * 1024)

/* Parses the text; `file_name` is only for messages. The settings own their memory; cella_settings_deinit
 * frees it. Every message names file, line and key. CELLA_CONF_SYNTAX, CELLA_CONF_UNKNOWN_KEY (with the
 * nearest known key), CELLA_CONF_DUPLICATE, CELLA_CONF_VALUE (with the allowed values), CELLA_CONF_MISSING,
 * CELLA_LIMIT. */
enum cella_status cella_conf_parse(const char *file_name, struct cella_bytes text,
                                   struct cella_settings *ret_settings, struct cella_error *error);

#endif
