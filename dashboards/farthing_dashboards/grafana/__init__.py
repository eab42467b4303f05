"""Dashboards and alert rules for Grafana and Prometheus, made from the catalogue of metrics.

The files are made in development (``scripts/make_dashboards.py``) and ship with the package; here
they are copied out, and renamed for a Prometheus that keeps other names.
"""
