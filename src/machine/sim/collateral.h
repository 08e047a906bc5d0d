/* What the simulated vendor publishes: TCB info, QE identity, revocation lists, each signed. A function of
 * the machine's state and an issue date; must not ask a clock. */
#ifndef CELLA_MACHINE_SIM_COLLATERAL_H
#define CELLA_MACHINE_SIM_COLLATERAL_H

#include "machine/machine.h"
#include "machine/sim/state.h"

/* Thirty days. */
#define CELLA_SIM_COLLATERAL_LIFE INT64_C(2592000)

/* When the vendor issued what a machine fetches at `now`: the hour before, so that it is fresh for every
 * constraint and no reader's clock is behind it; or the frozen date. 0 for a time
 * outside the vendor's years. */
int64_t cella_sim_issue_date(const struct cella_sim_state *state, int64_t now);

/* Issues everything with that date. Owned by the caller. CELLA_ARGUMENT (a date outside 2023 to 2049),
 * CELLA_CRYPTO. */
enum cella_status cella_sim_collateral_issue(const struct cella_sim_state *state, int64_t issue_date,
                                             struct cella_machine_collateral **ret_collateral,
                                             struct cella_error *error);

#endif
