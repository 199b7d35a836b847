/* What the network workloads share: talking to the VMM's load generator. */
#ifndef TM_WORKLOADS_NETLOAD_H
#define TM_WORKLOADS_NETLOAD_H

#include <stdint.h>

/* Why there is nobody to talk to, or NULL. */
const char *netload_refuse(void);
/* What went wrong in any of the functions below so far, or NULL. */
const char *netload_verify(void);

/* For init. An interrupt for each frame, and the device is told of each buffer;
 * without this call interrupts and notifications are left out where they can. */
const char *netload_eager(void);
/* For init: the device looks into its transmit queue by itself, at intervals,
 * while there is traffic, and needs no notifications meanwhile. */
const char *netload_polled(void);

/* n round trips, one after the other, with frames of len bytes. */
void netload_echo(uint64_t n, uint32_t len);
/* n frames out; then one round trip, by which the peer tells what came. */
void netload_out(uint64_t n, uint32_t len);
/* One frame out, by which n frames in are asked for, and these. */
void netload_in(uint64_t n, uint32_t len);

/* Sixteen frames' worth of the same: every word that came back is compared with
 * what was sent, or was to be sent, and goes into the digest. */
uint64_t netload_echo_checksum(uint32_t len);
uint64_t netload_out_checksum(uint32_t len);
uint64_t netload_in_checksum(uint32_t len);

#endif
