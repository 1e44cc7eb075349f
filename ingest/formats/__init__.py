"""Bytes in, columns of observations or rejections out; pure, one module a format."""
