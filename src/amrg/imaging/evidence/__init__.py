"""What a header and a name say of an image: side and view, kind, and whose it is."""
