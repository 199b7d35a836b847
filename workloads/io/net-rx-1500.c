/* net-rx-1500: a stream of 1500-byte frames in. */
#include "../../guest/lib/bench.h"
#include "net_kernels.h"
#include "netload.h"

const uint32_t net_frame_len = 1500;

DEFINE_BENCHMARK(net_rx_1500, "net-rx-1500", "io", "packet in",
                 "1500-byte packets in, few notifications and interrupts", 0,
                 .refuse = netload_refuse, .kernel = net_rx_kernel,
                 .control = net_rx_control, .checksum = net_rx_checksum,
                 .verify = netload_verify);
