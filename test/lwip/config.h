/* SPDX-License-Identifier: Apache-2.0 */
/* lwIP's unit tests include a config.h that their own build would make; there is nothing to say. */
