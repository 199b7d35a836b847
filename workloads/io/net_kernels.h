/* What the net workloads measure, with frames of the benchmark's length. */
#ifndef TM_WORKLOADS_NET_KERNELS_H
#define TM_WORKLOADS_NET_KERNELS_H

#include <stdint.h>

/* The benchmark's own: bytes of a frame. */
extern const uint32_t net_frame_len;

/* Round trips. */
void net_rr_kernel(uint64_t n);
uint64_t net_rr_checksum(void);

/* Frames out; the control is the report that ends a batch. */
void net_tx_kernel(uint64_t n);
void net_tx_control(uint64_t n);
uint64_t net_tx_checksum(void);

/* Frames in; the control is the request that begins a batch. */
void net_rx_kernel(uint64_t n);
void net_rx_control(uint64_t n);
uint64_t net_rx_checksum(void);

#endif
