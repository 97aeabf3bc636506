"""From conversations to tokens: templates, encoding, packing and the certificate. No torch here."""
