"""From the bytes of one file to presentation values in 0..1: decoding, look-up tables, windows, what is no patient."""
