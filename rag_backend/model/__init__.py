"""The language model behind one seam: the official client, a scripted server that speaks its protocol, recordings, limits and prices."""
