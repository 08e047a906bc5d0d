/* Names of verification's numbers. */
#include <cella/verify.h>

const char *cella_kind_name(enum cella_kind kind) {
    return kind == CELLA_KIND_SGX ? "SGX" : "UNKNOWN";
}

const char *cella_tcb_status_name(enum cella_tcb_status status) {
    switch (status) {
    case CELLA_TCB_UP_TO_DATE:
        return "UpToDate";
    case CELLA_TCB_SW_HARDENING_NEEDED:
        return "SWHardeningNeeded";
    case CELLA_TCB_CONFIGURATION_NEEDED:
        return "ConfigurationNeeded";
    case CELLA_TCB_CONFIGURATION_AND_SW_HARDENING_NEEDED:
        return "ConfigurationAndSWHardeningNeeded";
    case CELLA_TCB_OUT_OF_DATE:
        return "OutOfDate";
    case CELLA_TCB_OUT_OF_DATE_CONFIGURATION_NEEDED:
        return "OutOfDateConfigurationNeeded";
    case CELLA_TCB_REVOKED:
        return "Revoked";
    }
    return "UNKNOWN";
}

const char *cella_level_rule_sentence(enum cella_level_rule rule) {
    switch (rule) {
    case CELLA_RULE_CURRENT:
        return "the machine is genuine and has all the updates and settings that its vendor asks for";
    case CELLA_RULE_SIMULATED:
        return "the machine is simulated: it protects nothing from the owner of the computer";
    case CELLA_RULE_CALLER_ROOT:
        return "the root was only named by the caller, who does not vouch for it";
    case CELLA_RULE_DEBUG:
        return "the enclave runs in debug mode: the host can read and change its memory";
    case CELLA_RULE_PLATFORM:
        return "the machine is genuine, but lacks updates or settings that its vendor asks for";
    case CELLA_RULE_QUOTING_ENCLAVE:
        return "the machine is genuine, but its quoting enclave is out of date";
    case CELLA_RULE_MISSING:
        return "collateral is missing, with the caller's leave, so revocation could not be checked";
    case CELLA_RULE_WARDENS:
        return "the vault's wardens are less secure than the instance itself";
    }
    return "unknown";
}
