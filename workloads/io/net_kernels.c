/* Round trips, frames out and frames in, for DEFINE_BENCHMARK. */
#include "net_kernels.h"
#include "netload.h"

void net_rr_kernel(uint64_t n)
{
    netload_echo(n, net_frame_len);
}

uint64_t net_rr_checksum(void)
{
    return netload_echo_checksum(net_frame_len);
}

void net_tx_kernel(uint64_t n)
{
    netload_out(n, net_frame_len);
}

void net_tx_control(uint64_t n)
{
    (void)n;
    netload_out(0, net_frame_len);
}

uint64_t net_tx_checksum(void)
{
    return netload_out_checksum(net_frame_len);
}

void net_rx_kernel(uint64_t n)
{
    netload_in(n, net_frame_len);
}

void net_rx_control(uint64_t n)
{
    (void)n;
    netload_in(0, net_frame_len);
}

uint64_t net_rx_checksum(void)
{
    return netload_in_checksum(net_frame_len);
}
