"""Word lists of clean origin as text (training/README.md names each), and the script that drew them from packages."""
