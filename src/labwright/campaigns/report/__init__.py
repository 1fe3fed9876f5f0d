"""A campaign's report: one page that needs nothing else."""

from labwright.campaigns.report.page import write_report

__all__ = ["write_report"]
