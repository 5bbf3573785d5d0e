"""Faster R-CNN with FPN (Ren et al. 2015, Lin et al. 2017) on otadet's trainer and metrics."""

from otadet_methods.faster_rcnn.criterion import RCNNCriterion
from otadet_methods.faster_rcnn.experiment import RcnnExp
from otadet_methods.faster_rcnn.network import RCNNHead, TwoStagePredictions
from otadet_methods.faster_rcnn.proposals import ProposalIoU

__all__ = ["ProposalIoU", "RCNNCriterion", "RCNNHead", "RcnnExp", "TwoStagePredictions"]
