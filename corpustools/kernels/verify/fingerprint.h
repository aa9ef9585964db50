/* Fingerprints of records: 128 bits under a key, so that no file can be made to fool them. */
#ifndef CORPUS_FINGERPRINT_H
#define CORPUS_FINGERPRINT_H
#include <stdint.h>
#include <string.h>

static inline uint64_t folded(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline void fingerprint(const uint8_t *at, int64_t size, const uint64_t key[4], uint64_t out[2]) {
    uint64_t one = key[0], two = key[1], words[2];
    int64_t left = size;
    for (; left >= 16; left -= 16, at += 16) {
        memcpy(words, at, 16);
        one = folded(one ^ words[0], key[2] ^ words[1]);
        two = folded(two ^ words[1], key[3] ^ words[0]);
    }
    words[0] = words[1] = 0;
    memcpy(words, at, (size_t)left);
    one = folded(one ^ words[0], key[2] ^ words[1]);
    two = folded(two ^ words[1], key[3] ^ words[0]);
    out[0] = folded(one ^ (uint64_t)size, key[3]);
    out[1] = folded(two ^ (uint64_t)size, key[2]);
}

#endif
