/* The release number that --version prints and result files carry. */
#ifndef TM_VERSION_H
#define TM_VERSION_H

#define TM_VERSION "0.1.0"

#endif
