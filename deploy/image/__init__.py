"""The images: what fills their layers, their health check, their pins."""
