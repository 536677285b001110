"""A plug-in of xuntu: an encoder that knows colours, and an annotator that tells how bright a picture is."""
