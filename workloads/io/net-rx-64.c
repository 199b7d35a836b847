/* net-rx-64: a stream of 64-byte frames in. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 64;

DEFINE_BENCHMARK(net_rx_64, "net-rx-64", "io", "packet in",
                 "64-byte packets in, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .kernel = net_rx_kernel,
                 .control = net_rx_control, .checksum = net_rx_checksum,
                 .verify = netload_verify);
