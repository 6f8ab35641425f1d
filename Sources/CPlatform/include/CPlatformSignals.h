/* SPDX-License-Identifier: MIT
 *
 * Signals of a program of its own. A library inside somebody else's program calls none of this.
 * Included by CPlatform.h.
 */
#ifndef WORKPOOL_CPLATFORM_SIGNALS_H
#define WORKPOOL_CPLATFORM_SIGNALS_H
#include <stdint.h>

/* From now on the first SIGINT or SIGTERM is remembered and turns *word, which must stay, from 0
 * into `value`; the next one ends the process at once with 128 + its number. A SIGINT that is
 * ignored stays ignored. SIGPIPE and SIGXFSZ do nothing; children get them as ever. */
void wpl_signals_catch(uint32_t *word, uint32_t value);
/* The signal that was remembered, or 0. */
int32_t wpl_signal_caught(void);

/* Instead of that: every SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGTSTP puts a byte, its number, into a pipe,
 * whose end to read and to poll this returns (-errno). One that is ignored stays ignored. */
int32_t wpl_signals_watch(void);
/* From now on every SIGCHLD too: a child has ended, or was stopped. */
void wpl_signals_watch_children(void);
/* Stops this process until somebody continues it; `with_group`: and asks all others of its group to stop, as
 * the terminal does. */
void wpl_signals_suspend(int32_t with_group);

#endif
